"""What translation costs over the length of a run, and what a small code cache does: numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.mechanism.block import Block
from virtperf.mechanism.code_cache import CodeCache
from virtperf.mechanism.program import Program
from virtperf.mechanism.translator import Translator
from virtperf.technique.cpu.price import price

if TYPE_CHECKING:
    from virtperf.params import ParameterSet

EMULATORS = ("interpreter", "dbt", "static")


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """What an emulator has to pay before it runs at its own pace.

    Attributes
    ----------
    technique : str
    bare, unit : float
        Time of a unit of work on the bare machine, and here when all is translated, in ns.
    start : float
        Time to translate all that is translated, in ns.
    met : float
        Units after which all executed code has been met: a dynamic translator pays up to there.
        0 for one that pays before the start.
    """

    technique: str
    bare: float
    unit: float
    start: float
    met: float = 0.0

    def slowdown(self, units: float) -> float:
        """Return the time of `units` of work from the start on, over that of the bare machine."""
        paid = self.start * (min(1.0, units / self.met) if self.met else 1.0)
        return (paid / units + self.unit) / self.bare

    @property
    def settled(self) -> float:
        """The slowdown of an endless run."""
        return self.unit / self.bare


def warm_up_of(
    platform: ParameterSet, workload: ParameterSet, technique: str, executed: float | None = None
) -> WarmUp:
    """Return what an emulator pays at the start and later.

    A dynamic translator pays for each block when it is first met. Code that is new is taken to
    come first, an instruction at a time: of a run shorter than the executed code, all is new.

    Parameters
    ----------
    platform, workload : ParameterSet
    technique : {'interpreter', 'dbt', 'static'}
    executed : float, optional
        Share of the image that is executed, in (0, 1]; that of the workload by default.

    Raises
    ------
    ParameterError
        If the technique is no emulator, or the share is out of range.
    """
    if technique not in EMULATORS:
        raise ParameterError("warm_up", "technique", f"one of {', '.join(EMULATORS)}", technique)
    if executed is not None:
        if not 0 < executed <= 1:
            raise ParameterError("warm_up", "executed", "in (0, 1]", executed)
        size = workload["image"].value * executed
        footprint = replace(workload["footprint"], value=size, low=None, high=None)
        workload = workload.replace(footprint=footprint)
    found = price(platform, workload, technique)
    met = workload["footprint"].value / workload["instructions"].value
    return WarmUp(
        technique=technique,
        bare=price(platform, workload, "direct").ns,
        unit=found.ns,
        start=found.start,
        met=met if technique == "dbt" else 0.0,
    )


def break_even(one: WarmUp, other: WarmUp) -> float | None:
    """Return after how many units `one`, which pays more at the start, has made up for it.

    None if it never does: it is not quicker later.
    """
    gain, more = other.unit - one.unit, one.start - other.start
    if gain <= 0:
        return None
    if other.met and more / gain < other.met:  # the other is still meeting new code
        gain += other.start / other.met
        more = one.start
    return max(0.0, more / gain)


def retranslations(blocks: int, room: int, visits: int = 1) -> float:
    """Return retranslated blocks per executed block of a loop, in the long run.

    Parameters
    ----------
    blocks : int
        Blocks of the loop, at least 1.
    room : int
        Blocks that the code cache holds, at least 1.
    visits : int
        How often each block runs before the next one does, at least 1.

    Returns
    -------
    float
        A count over a count, both exact, of `LONG` passes after `WARM` others.
    """
    for field, value in (("blocks", blocks), ("room", room), ("visits", visits)):
        if value < 1:
            raise ParameterError("retranslations", field, "at least 1", value)
    size = 64
    ring = Program(
        [
            Block(
                address=number * size,
                instructions=6,
                size=size,
                end="direct",
                successors=tuple({number * size, (number + 1) % blocks * size}),
            )
            for number in range(blocks)
        ]
    )
    body = [address for address in ring.blocks for _ in range(visits)]
    translator = Translator(ring, CodeCache(room * size, 1.0))
    translator.execute_loop(body, WARM)
    seen = translator.execute_loop(body, LONG)
    return seen.retranslated_blocks / seen.executed_blocks


WARM, LONG = 4, 1000


def thrash_table(
    room: int = 40, visits: Sequence[int] = (1, 3, 10), blocks: Sequence[int] | None = None
) -> dict[int, list[tuple[float, float]]]:
    """Return (footprint over cache, retranslations per executed block), by visits per pass."""
    lengths = blocks if blocks is not None else [round(room * k / 20) for k in range(8, 45, 2)]
    lengths = sorted({*lengths, room, room + 1})
    return {
        times: [(length / room, retranslations(length, room, times)) for length in lengths]
        for times in visits
    }
