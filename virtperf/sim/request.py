"""A request, and the account of every tick of its latency."""

from typing import TYPE_CHECKING

from virtperf.tables import ClassRow

if TYPE_CHECKING:
    from virtperf.sim.credit import Credits
    from virtperf.sim.inbox import Inbox
    from virtperf.sim.wait import Wait


class Request:
    """One request on its way along a path, or a side path of one.

    Attributes
    ----------
    source : int
        NONE for what a timer started.
    row : ClassRow
    created : int
        Instant of its creation, in ticks.
    step : int
        Step it takes next.
    draws : list of int
        Its own random times, in ticks, one per stream of its source.
    booked : dict of int to int
        Ticks per account so far.
    since, mark
        Where it waits: when it came to a station, or what the worker's clocks showed when it came.
    home : Inbox or None
        Where its worker took it; None while no worker has it.
    credits : tuple of Credits
        What it has taken and not given back.
    stays : Wait or None
        The worker that keeps it while a station serves it.
    answers : Wait or None
        Who waits for the end of this side path.
    lender : Request or None
        Whose credits this side path may give back.
    aside : int
        Side paths of its own under way.
    edge : int
        Whether it is the first or last of those it was gathered with, an `Edge`.
    """

    # What most requests never have is the class's: nothing to set for each of them.
    mark: list[int]
    home: "Inbox | None" = None
    credits: "tuple[Credits, ...]" = ()
    stays: "Wait | None" = None
    answers: "Wait | None" = None
    lender: "Request | None" = None
    aside = 0
    edge = 0

    def __init__(self, source: int, row: ClassRow, created: int, draws: list[int]) -> None:
        self.source = source
        self.row = row
        self.created = self.since = created
        self.step = row.path
        self.draws = draws
        self.booked: dict[int, int] = {}

    def hold(self, stock: "Credits") -> None:
        """Have one more credit of `stock`."""
        self.credits += (stock,)

    def return_one(self, stock: "Credits") -> None:
        """Have one credit of `stock` less."""
        at = self.credits.index(stock)
        self.credits = self.credits[:at] + self.credits[at + 1 :]

    def book(self, account: int, ticks: int) -> None:
        """Add `ticks` to one account."""
        booked = self.booked
        booked[account] = booked.get(account, 0) + ticks
