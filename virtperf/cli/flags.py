"""POPF under all kinds of monitors, as a table and as a figure."""

from pathlib import Path

from virtperf.cli.isas import columns
from virtperf.mechanism.interrupts import MONITORS, Outcome, example_popf, run

_TITLE = "POPF without privilege: which monitor sees the flag restored?"


def outcomes() -> list[Outcome]:
    """Return what the example program does under each monitor."""
    ops, arrivals = example_popf()
    return [run(ops, monitor, arrivals) for monitor in MONITORS]


def show(found: list[Outcome]) -> str:
    """Return the program, and a row per monitor; times are counted in instructions."""
    ops, arrivals = example_popf()
    places = "  ".join(f"{place} {op}" for place, op in enumerate(ops))
    came = ", ".join(map(str, arrivals))
    header = ("monitor", "traps", "lost updates", "leaks", "delivered at", "violations")
    return "\n".join(
        [
            f"program: {places}",
            f"an interrupt arrives at {came}; times are in instructions executed",
            "",
            *columns([header, *map(_row, found)]),
        ]
    )


def draw(found: list[Outcome], path: Path) -> None:
    """Write the flags over time as a picture, a panel per monitor.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from virtperf.plot import interrupt_flags, save

    save(interrupt_flags(found, example_popf()[0], title=_TITLE).axes[0], path)


def _row(outcome: Outcome) -> tuple[str, ...]:
    violations = [f"{one.kind} at {one.time}, by {one.cause}" for one in outcome.violations]
    return (
        outcome.monitor,
        str(outcome.traps),
        str(outcome.lost_updates),
        str(outcome.leaks),
        ", ".join(str(one.time) for one in outcome.deliveries) or "-",
        "; ".join(violations) or "-",
    )
