"""One request in an otherwise empty system, walked by the engine's rules, to the tick.

Every random time is replaced by its mean. The walk goes round until the state of workers and
pCPUs at the birth of a request repeats; that cycle, nearly always of one lap, is the answer.
"""

from collections import Counter
from dataclasses import dataclass
from math import lcm
from typing import NamedTuple, TypeVar

from virtperf.tables import NONE, System
from virtperf.theory.itinerary import classes_of, think_ticks, ways
from virtperf.theory.walk import Lap, Walk
from virtperf.units import TICKS_PER_NS

MAX_LAPS = 256  # a request that never lets go of its worker repeats after a batch at the latest
K = TypeVar("K")


class Stretch(NamedTuple):
    """A part of a request's way: where, under which account, for how many ticks."""

    label: str
    account: str
    ticks: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroLoad:
    """What one request sees that never meets another one. Integers where nothing is averaged.

    Attributes
    ----------
    source : str
    latency : float
        Ticks from the request's creation to its end.
    breakdown : dict of account to ticks
        Sums to `latency`.
    per_step : tuple of Stretch
        The same, in the order of the request's way.
    cpu : dict of role to ticks
        CPU time per request, polling included; ``"host"`` is switching.
    counters : dict of counter to count
        Exits by reason, kicks, interrupts, per request; all counters of the system.
    events : float
        Timed events an engine handles per request.
    laps : int
        Requests after which all repeats, 1 as a rule; more where a poll window swings or a batch
        ends now and then. The other numbers are means over so many requests.
    """

    source: str
    latency: float
    breakdown: dict[str, float]
    per_step: tuple[Stretch, ...]
    cpu: dict[str, float]
    counters: dict[str, float]
    events: float
    laps: int


def zero_load(system: System, source: int = 0) -> ZeroLoad:
    """Return the latency of one request in an otherwise empty system, and where it goes.

    Parameters
    ----------
    system : System
    source : int
        Index of the source; with several classes, their average by weight.

    Returns
    -------
    ZeroLoad
        In ticks. With constant costs an engine gives the same numbers for every request after
        the first ones.

    Notes
    -----
    A worker that is told is asleep if it has been idle for longer than its poll window, else it
    polls; a bell under the event-index rule rings a sleeper only; a switch is paid at each change
    of worker on a pCPU. An open source makes the next request when its mean gap is over, but
    never before the last one has ended. Credits are there, locks free, timers silent.

    Side paths are not walked, though they may be in the way of their request; the answers of a
    join are taken to run beside each other, each on an idle pCPU.
    """
    row = system.sources[source]
    cycles = [
        (_cycle(Walk(system, source, stays)), share * chance)
        for class_row, share in classes_of(system, row)
        for stays, chance in ways(system, row, class_row)
    ]
    laps = [(lap, share / len(cycle)) for cycle, share in cycles for lap in cycle]
    spans = _average([(lap.spans, share) for lap, share in laps])
    breakdown: dict[str, float] = {}
    for (*_, account), spent in spans.items():
        name = system.accounts[account]
        breakdown[name] = breakdown.get(name, 0) + spent
    counted = _average([(lap.counters, share) for lap, share in laps])
    return ZeroLoad(
        source=row.name,
        latency=sum(spans.values()),
        breakdown=breakdown,
        per_step=tuple(
            Stretch(label, system.accounts[a], n) for (_, label, _, a), n in spans.items()
        ),
        cpu=_average([(lap.cpu, share) for lap, share in laps]),
        counters={name: counted.get(i, 0) for i, name in enumerate(system.counters)},
        events=sum(lap.events * share for lap, share in laps),
        laps=lcm(*(len(cycle) for cycle, _ in cycles)),
    )


def events_per_request(system: System) -> float:
    """Return how many timed events an engine handles per request at zero load.

    Stretches of CPU, stays at stations, delays, polls and thinking; the mean over sources by how
    many requests each would have if it were alone.

    Parameters
    ----------
    system : System

    Returns
    -------
    float
        Under load it is less where turns serve many, more where slices end.
    """
    loads = [zero_load(system, source) for source in range(len(system.sources))]
    shares = [light_rate(system, s, load.latency) for s, load in enumerate(loads)]
    return sum(load.events * share for load, share in zip(loads, shares, strict=True)) / sum(shares)


def light_rate(system: System, source: int, latency: float) -> float:
    """Return the requests per tick of a source whose requests all take `latency` ticks."""
    row = system.sources[source]
    if row.gap != NONE:
        return 1 / (system.draws[row.gap].a * TICKS_PER_NS)
    return row.outstanding / max(1, latency + think_ticks(system, row))


def _cycle(walk: Walk) -> list[Lap]:
    """Return the laps that repeat for ever."""
    seen: dict[object, int] = {}
    laps: list[Lap] = []
    while len(laps) < MAX_LAPS:
        state = walk.signature()
        if state in seen:
            return laps[seen[state] :]
        seen[state] = len(laps)
        laps.append(walk.go_round())
    return laps[-1:]


def _average(parts: list[tuple[Counter[K], float]]) -> dict[K, float]:
    """Return the weighted mean of counts; of one count, the count itself."""
    if len(parts) == 1:
        return dict(parts[0][0])
    mean: dict[K, float] = {}
    for counts, share in parts:
        for key, count in counts.items():
            mean[key] = mean.get(key, 0.0) + count * share
    return mean
