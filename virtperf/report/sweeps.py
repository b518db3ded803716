"""The report's part on sweeps: how much fits, and which numbers decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf import plot
from virtperf.report.cpu import Part
from virtperf.report.picture import picture
from virtperf.report.tables import Table
from virtperf.result.words import digits, plus_minus

if TYPE_CHECKING:
    from virtperf.experiment.sensitivity import Sensitivity
    from virtperf.experiment.size import Size

CROWD, LIMIT, MOST = "first-light", "p95 <= 400 us", 16
SINGLE = "queue-depth-1"
SIZED, MOVED = 4_000, 2_000  # requests of a run
FEW = 4  # replications, whose differences under common random numbers are sharp
NAMED = 3  # numbers that the sentence names


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs behind this part.

    Attributes
    ----------
    fits : Size
        How many guests a host carries.
    moves : Sensitivity
        Which numbers of the platform decide the latency of one request.
    """

    fits: Size
    moves: Sensitivity


def conduct() -> Runs:
    """Run everything this part needs."""
    from virtperf.experiment.sensitivity import sensitivity
    from virtperf.experiment.size import size
    from virtperf.scenario import Scenario

    return Runs(
        fits=size(Scenario.load(CROWD), "vm.count", LIMIT, high=MOST, requests=SIZED),
        moves=sensitivity(Scenario.load(SINGLE), requests=MOVED, replications=FEW),
    )


def part(runs: Runs) -> Part:
    """Return the part."""
    return Part(
        sentences=tuple(_sentences(runs)),
        figures=(
            picture(
                plot.tornado(runs.moves),
                f"Mean latency of {SINGLE} with each number of the platform at the ends of its "
                "range, all else at its value. Whiskers: 95 % intervals of the differences, under "
                "common random numbers; grey: simulation noise of the mean itself.",
                wide=True,
            ),
        ),
        tables=(_levels(runs.fits),),
        sources=Table("Numbers that were moved", ("number", "range"), tuple(_ranges(runs.moves))),
    )


def _sentences(runs: Runs) -> Iterator[str]:
    found, moves = runs.fits.found, runs.moves
    surely = "not for sure at any" if found.surely is None else f"for sure up to {found.surely:g}"
    broken = "" if found.broken is None else f", broken for sure from {found.broken:g} on"
    yield (
        f"Sizing: {CROWD} keeps {runs.fits.criterion} up to {found.level:g} guests ({surely}"
        f"{broken}; 95 % intervals, {len(found.seen)} levels looked at)."
    )
    first = list(moves.shares.items())[:NAMED]
    named = ", ".join(f"{a.partition('.')[2]} {one.share:.0%}" for a, one in first)
    low, high = moves.band
    yield (
        f"Which numbers decide: one request of {SINGLE} takes "
        f"{plus_minus(moves.value, moves.half_width, 'ns')} of simulation noise, and "
        f"{digits(low / 1e3)} to {digits(high / 1e3)} us over the ranges of {len(moves.ranges)} "
        f"numbers of the platform. Most of that band comes from {named}: those are worth measuring "
        "on the machine in question."
    )


def _levels(fits: Size) -> Table:
    criterion = fits.criterion
    rows = []
    for level, (mean, half) in sorted(fits.found.seen.items()):
        steady = level not in fits.unsteady
        value = plus_minus(criterion.sign * mean, half, "ns") if steady else "no steady state"
        rows.append((f"{level:g}", value))
    return Table("Levels that the sizing looked at", ("guests", criterion.metric), tuple(rows))


def _ranges(moves: Sensitivity) -> Iterator[tuple[str, str]]:
    return ((address, moves.told(address)) for address in moves.ranges)
