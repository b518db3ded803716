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
    credits : list of Credits
        What it has taken and not given back.
    stays : Wait or None
        The worker that keeps it while a station serves it.
    answers : Wait or None
        Who waits for the end of this side path.
    lender : Request or None
        Whose credits this side path may give back.
    aside : int
        Side paths of its own under way.
    """

    __slots__ = (
        "answers",
        "aside",
        "booked",
        "created",
        "credits",
        "draws",
        "home",
        "lender",
        "mark",
        "row",
        "since",
        "source",
        "stays",
        "step",
    )

    def __init__(self, source: int, row: ClassRow, created: int, draws: list[int]) -> None:
        self.source = source
        self.row = row
        self.created = created
        self.step = row.path
        self.draws = draws
        self.booked: dict[int, int] = {}
        self.since = created
        self.mark: list[int] = []
        self.home: Inbox | None = None
        self.credits: list[Credits] = []
        self.stays: Wait | None = None
        self.answers: Wait | None = None
        self.lender: Request | None = None
        self.aside = 0

    def book(self, account: int, ticks: int) -> None:
        """Add `ticks` to one account."""
        booked = self.booked
        booked[account] = booked.get(account, 0) + ticks
