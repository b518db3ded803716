"""Memory virtualization on the command line: tables of what it costs, and their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from textwrap import fill
from typing import TYPE_CHECKING, Any

from virtperf.cli.text import table
from virtperf.mechanism.memory.processors import Processor, names, processor
from virtperf.plot import memory_data, paging_data
from virtperf.plot.memory import bytes_in_words, named
from virtperf.result.words import digits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from virtperf.plot.memory_data import Walk
    from virtperf.plot.paging_data import Slice

TRACE = "sort"
Progress = Callable[[float, int, str], None]
"""Told what is done, of how much, and what comes next."""
_SHOWN = (1 << 20, 16 << 20, 256 << 20, 4 << 30, 64 << 30)
_TRACED = 20_000_000  # accesses of the trace
_WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is printed and drawn of one processor, and of techniques on any."""

    part: Processor
    walks: Mapping[str, tuple[Walk, Walk]]
    footprints: Mapping[str, Sequence[tuple[int, float]]]
    switches: Mapping[tuple[str, bool], Sequence[tuple[float, float]]]
    faults: Mapping[str, Sequence[Slice]]
    tables: Mapping[str, Sequence[tuple[int, int]]]


def study(cpu: str, share: float, progress: Progress | None = None) -> Study:
    """Run what is shown of a processor.

    Raises
    ------
    UnknownNameError
        If there is no such processor; near matches are offered.
    ParameterError
        If its file does not tell its data caches, or the share is out of range.
    """
    part = processor(cpu)
    part.pte_caches(share)  # refused before anything runs
    steps = list(_steps(part, share))
    found: dict[str, dict[Any, Any]] = {field: {} for field, *_ in steps}
    for number, (field, label, run) in enumerate(steps):
        if progress is not None:
            progress(number, len(steps), label)
        found[field] |= run()
    return Study(part=part, **found)


def _steps(part: Processor, share: float) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Yield what is run: the field it is a piece of, what it is called, and how."""
    yield "walks", "walks", partial(memory_data.walks, part)
    for way in memory_data.WAYS:
        cost = partial(memory_data.by_footprint, part, [way], share=share)
        yield "footprints", f"footprints, {named(way)}", cost
    for way in memory_data.SWITCHING:
        turns = partial(memory_data.by_switch_rate, part, ways=[way], share=share)
        yield "switches", f"switches, {named(way)}", turns
    for technique in paging_data.DRAWN:
        yield "faults", f"faults, {technique}", partial(paging_data.faults, [technique])
    yield "tables", "tables", paging_data.tables


def priced() -> list[str]:
    """Return the processors whose files tell what a walk's reads take."""
    return [name for name in names() if processor(name).data_caches is not None]


def show(one: Study) -> str:
    """Return all tables as text."""
    name = one.part.name
    return "\n\n".join(
        [
            f"table reads of a walk, no cache, and with the walk caches of {name}\n{_walks(one)}",
            f"added by translation on {name} [cycles per access at random]\n{_footprints(one)}",
            "the same, four processes of 300 pages that take turns, by switches per million "
            f"accesses\n{_switches(one)}",
            f"faults of 24 turns of processes, and what leaves the guest\n{_faults(one)}",
            f"memory of the hypervisor's tables\n{_tables(one)}",
            fill(_NOTE, _WIDTH),
        ]
    )


_NOTE = (
    "One dimension: native, direct, and shadow or TLB emulation once filled; nested: 4K on 2M is a "
    "guest's page of 4 KiB on a host's of 2 MiB. Accesses are to random pages, 64 GiB of them for "
    "the walks; the access to the data itself is not in the cycles. What leaves the guest is told "
    "without loads of CR3 and invalidations. Tables are of a guest that uses all its memory."
)


def _walks(one: Study) -> str:
    rows = [
        [named(way), *(f"{x:.3g}" for walk in pair for x in (walk.guest, walk.host, walk.reads))]
        for way, pair in one.walks.items()
    ]
    header = ["pages", "guest", "host", "reads", "cached: guest", "host", "reads"]
    return table(header, rows)


def _footprints(one: Study) -> str:
    rows = []
    for way, points in one.footprints.items():
        known = dict(points)
        rows.append([named(way), *(digits(known[size]) for size in _SHOWN)])
    return table(["pages", *map(bytes_in_words, _SHOWN)], rows)


def _switches(one: Study) -> str:
    rates = [rate for rate, _ in next(iter(one.switches.values()))][::3]
    rows = []
    for (way, tags), points in one.switches.items():
        known = dict(points)
        told = f"{named(way)}, {'tags' if tags else 'no tags'}"
        rows.append([told, *(digits(known[rate]) for rate in rates)])
    return table(["pages", *(f"{rate:,.0f}" for rate in rates)], rows)


def _faults(one: Study) -> str:
    kinds = list(paging_data.KINDS)
    rows = []
    for technique, slices in one.faults.items():
        sums = [sum(each.faults[kind] for each in slices) for kind in kinds]
        out = paging_data.leaving(technique, slices)
        rows.append([technique, *(f"{n:,}" if n else "-" for n in sums), f"{out:,}"])
    short = ["true", "missing", "first write", "table write", "hypercall", "violation"]
    return table(["technique", *short, "leave"], rows)


def _tables(one: Study) -> str:
    sizes = [size for size, _ in next(iter(one.tables.values()))][::3]
    rows = []
    for name, points in one.tables.items():
        known = dict(points)
        rows.append([name, *(bytes_in_words(known[size]) for size in sizes)])
    return table(["guest of", *map(bytes_in_words, sizes)], rows)


def draw(one: Study, out: Path, progress: Progress | None = None) -> Iterator[Path]:
    """Write every figure as PNG and SVG into a folder that exists, and yield the paths.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    from virtperf.plot import save

    figures = _figures(one)
    for number, (name, figure) in enumerate(figures.items()):
        if progress is not None:
            progress(number, len(figures), f"figure {name}")
        axes = figure()
        for suffix in ("png", "svg"):
            save(axes, out / f"{name}.{suffix}")
            yield out / f"{name}.{suffix}"


def _figures(one: Study) -> dict[str, Callable[[], Any]]:
    """Return how each figure's axes are drawn, by the name of its file."""
    from virtperf import plot

    on, marks = one.part.title, memory_data.reaches(one.part)
    adds, turns = f"What translation adds: {on}", f"Four processes of 300 pages: {on}"
    reads, bounds = f"Reads of a walk: {on}", paging_data.bounds()
    return {
        "footprint": partial(plot.footprint_cost, one.footprints, marks=marks, title=adds),
        "walks": partial(plot.walk_references, one.walks, title=reads),
        "switches": partial(plot.switch_cost, one.switches, title=turns),
        "faults": partial(plot.faults_over_time, one.faults, title=FAULTS),
        "tables": partial(plot.table_memory, one.tables, bounds, title=TABLES),
        "miss-ratio": partial(_misses, one.part),
    }


FAULTS = "Three processes take turns and grow; D comes when A has ended"
TABLES = "Tables grow with pages of 4 KiB, and shadows with processes that share memory"


def _misses(part: Processor) -> Any:
    """Draw what TLBs of each size miss of a real program."""
    from virtperf import catalog, plot
    from virtperf.mmu import misses_of_every_size
    from virtperf.stream import load_trace, part_of

    words = load_trace(catalog.root() / "traces" / f"{TRACE}.zst", limit=_TRACED)
    curve = misses_of_every_size(part_of(words, "data"))
    first = part.data.levels[0]
    marks = {f"L1 of {part.name}": sum(one.entries for one in first if 0 in one.pages)}
    title = f"{TRACE}: data among its first {_TRACED / 1e6:g} million accesses"
    return plot.miss_ratio_curve(curve.frame(TRACE), marks=marks, title=title)
