"""A request, and the account of every tick of its latency."""

from virtperf.tables import ClassRow


class Request:
    """One request on its way along a path.

    Attributes
    ----------
    source : int
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
    """

    __slots__ = ("booked", "created", "draws", "mark", "row", "since", "source", "step")

    def __init__(self, source: int, row: ClassRow, created: int, draws: list[int]) -> None:
        self.source = source
        self.row = row
        self.created = created
        self.step = row.path
        self.draws = draws
        self.booked: dict[int, int] = {}
        self.since = created
        self.mark: list[int] = []

    def book(self, account: int, ticks: int) -> None:
        """Add `ticks` to one account."""
        booked = self.booked
        booked[account] = booked.get(account, 0) + ticks
