"""How far long work is: a bar on stderr where somebody watches, or lines for a batch system."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from virtperf.experiment.status import Status, Tell

EVERY_S = 1.0  # between two lines


class Shown(StrEnum):
    """How progress is shown."""

    auto = "auto"
    bar = "bar"
    json = "json"
    quiet = "quiet"


@contextmanager
def bar() -> Iterator[Callable[[float, int, str], None] | None]:
    """Provide a progress callback; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with _rich("{task.completed:.1f}/{task.total}") as progress:
        task = progress.add_task("starting", total=None)

        def update(done: float, total: int, label: str) -> None:
            progress.update(task, completed=done, total=total, description=label)

        yield update


@contextmanager
def telling(how: Shown) -> Iterator[Tell | None]:
    """Provide what a sweep tells its status to; None where nobody listens.

    Parameters
    ----------
    how : Shown
        ``auto`` is a bar where stderr is a terminal, else quiet; ``json`` one object a second.
    """
    if how is Shown.json:
        yield _Lines()
    elif how is Shown.quiet or (how is Shown.auto and not sys.stderr.isatty()):
        yield None
    else:
        with _rich("{task.completed:,.0f}/{task.total:,.0f} runs", "{task.fields[pace]}") as shown:
            task = shown.add_task("starting", total=None, pace="")

            def update(status: Status) -> None:
                shown.update(
                    task,
                    completed=status.done,
                    total=status.planned,
                    description=status.label or "starting",
                    pace=pace(status),
                )

            yield update


def pace(status: Status) -> str:
    """Return speed, time left, failures and precision in a few words."""
    words = [f"{status.events_per_s / 1e6:.1f} M events/s"] if status.cost_done else []
    if status.left_s is not None:
        minutes, seconds = divmod(round(status.left_s), 60)
        words.append(f"{minutes}:{seconds:02d} left")
    if status.failed:
        words.append(f"{status.failed} failed")
    words += [f"{name} ±{width:.1%}" for name, width in status.widths.items() if width == width]
    return ", ".join(words)


class _Lines:
    """Prints a status as one line of JSON, once a second, and the last one."""

    def __init__(self) -> None:
        self.next = 0.0

    def __call__(self, status: Status) -> None:
        now, last = time.monotonic(), status.done >= status.planned
        if now < self.next and not last:
            return
        self.next = now + EVERY_S
        line = {
            "done": status.done,
            "planned": status.planned,
            "stored": status.stored,
            "failed": status.failed,
            "seconds": round(status.seconds, 1),
            "events_per_s": round(status.events_per_s),
            "left_s": None if status.left_s is None else round(status.left_s, 1),
            "point": status.label,
            "half_widths": {n: round(w, 5) for n, w in status.widths.items() if w == w},
        }
        print(json.dumps(line), file=sys.stderr, flush=True)


@contextmanager
def _rich(*texts: str) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *(TextColumn(text) for text in texts),
    ]
    if len(texts) == 1:
        columns.append(TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress
