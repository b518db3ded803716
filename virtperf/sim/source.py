"""Sources of load: closed and open, with a mix of request classes."""

from collections.abc import Callable, Iterator

from virtperf.draws import draws, kinds
from virtperf.sim.clock import Alarm, Clock, Owner, Ticker
from virtperf.sim.request import Request
from virtperf.tables import NONE, System

Entry = Callable[[Request, int], None]


class Source:
    """One job: it creates requests and hands each to `enter`, with the inbox it goes to.

    The k-th request uses the k-th number of every stream of the source, drawn when it is created,
    whether its path reaches the step or not: so no queue shifts a draw.
    """

    def __init__(
        self, env: Clock, index: int, system: System, enter: Entry, seed: int, replication: int
    ) -> None:
        row = system.sources[index]
        self.env, self.index, self.row, self.enter = env, index, row, enter
        self.ticker = Ticker(Owner.SOURCE, index)
        self.classes = system.classes[slice(*row.classes)]

        def drawn(number: int) -> Iterator[int]:
            return draws(system, row.name, number, seed, replication)

        self.streams = [drawn(number) for number in range(*row.draws)]
        self.think = None if row.think == NONE else drawn(row.think)
        self.gap = None if row.gap == NONE else drawn(row.gap)
        self.choices = kinds(system, row, seed, replication)

    def start(self) -> None:
        """Let the load begin: all outstanding requests of a closed source, or the first gap."""
        if self.gap is not None:
            self._after(next(self.gap), self._arrive)
        for _ in range(self.row.outstanding):
            self._create()

    def finished(self) -> None:
        """A request is over; a closed source thinks and makes the next."""
        if self.gap is None:
            self._after(next(self.think) if self.think is not None else 0, self._create)

    def _arrive(self, alarm: object = None) -> None:
        assert self.gap is not None
        self._create()
        while not (gap := next(self.gap)):  # a trace may have thousands at one instant
            self._create()
        self._after(gap, self._arrive)

    def _create(self, alarm: object = None) -> None:
        row = self.classes[next(self.choices)]
        draws = [next(stream) for stream in self.streams]
        self.enter(Request(self.index, row, self.env.now, draws), self.row.inbox)

    def _after(self, delay: int, call: Callable[..., None]) -> None:
        if delay:
            Alarm(self.env, self.ticker, delay, call)
        else:
            call()
