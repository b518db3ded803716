"""Sources of load: closed and open, with a mix of request classes."""

from collections.abc import Callable, Iterator
from itertools import accumulate

from virtperf.dist import Deterministic, Distribution, Empirical, Exponential, LogNormal
from virtperf.rng import Draws, stream
from virtperf.sim.clock import Clock, Owner, Ticker
from virtperf.sim.request import Request
from virtperf.tables import NONE, DrawKind, DrawRow, SourceRow, System

Entry = Callable[[Request], None]


class Source:
    """One job: it creates requests and hands each to `enter`.

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

        def draws(number: int) -> Iterator[int]:
            return _draws(system, row, number, seed, replication)

        self.streams = [draws(number) for number in range(*row.draws)]
        self.think = None if row.think == NONE else draws(row.think)
        self.gap = None if row.gap == NONE else draws(row.gap)
        self.choices = self._choices(seed, replication)

    def _choices(self, seed: int, replication: int) -> Iterator[int]:
        """Yield the class of each request."""
        if len(self.classes) == 1:
            while True:
                yield 0
        edges = list(accumulate(row.weight for row in self.classes))
        uniform = stream(seed, replication, f"{self.row.name}/class")
        while True:
            for point in uniform.random(8192) * edges[-1]:
                yield sum(point >= edge for edge in edges[:-1])

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

    def _arrive(self) -> None:
        assert self.gap is not None
        self._create()
        self._after(next(self.gap), self._arrive)

    def _create(self) -> None:
        row = self.classes[next(self.choices)]
        self.enter(Request(self.index, row, self.env.now, [next(s) for s in self.streams]))

    def _after(self, delay: int, call: Callable[[], None]) -> None:
        if delay:
            self.env.after(self.ticker, delay, call)
        else:
            call()


def _draws(
    system: System, source: SourceRow, number: int, seed: int, replication: int
) -> Iterator[int]:
    row = system.draws[number]
    distribution = _distribution(system, row)
    if isinstance(distribution, Deterministic):
        ticks = next(Draws(seed, replication, row.purpose, distribution.draw))
        return iter(lambda: ticks, None)
    return Draws(seed, replication, f"{source.name}/{row.purpose}", distribution.draw)


def _distribution(system: System, row: DrawRow) -> Distribution:
    if row.kind == DrawKind.EXPONENTIAL:
        return Exponential(row.a)
    if row.kind == DrawKind.LOGNORMAL:
        return LogNormal(row.a, row.b)
    if row.kind == DrawKind.DETERMINISTIC:
        return Deterministic(row.a)
    points = slice(*row.values)
    return Empirical(system.values[points], system.weights[points])
