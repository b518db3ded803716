"""What goes into the points of an experiment: every number with its source, and memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from virtperf.experiment.plan import Point


def memory_rows(points: Iterable[Point]) -> Iterator[tuple[str, str, str, float, str]]:
    """Yield (point, vm, quantity, value, unit) of the memory of VMs that work."""
    from virtperf.build import memory_use

    for point in points:
        yield from ((point.label, *row) for row in memory_use(point.scenario))


def source_rows(points: Iterable[Point]) -> Iterator[dict[str, Any]]:
    """Yield every number that the points used, once each."""
    from virtperf.build import sources

    seen: dict[tuple[str, Any], None] = {}
    for point in points:
        for name, quantity in (*sources(point.scenario).items(), *_own_numbers(point)):
            if (name, quantity) not in seen:
                seen[name, quantity] = None
                columns = ("value", "unit", "low", "high", "evidence", "checked", "source")
                yield {"name": name, **{key: getattr(quantity, key) for key in columns}}


def _own_numbers(point: Point) -> Iterator[tuple[str, Any]]:
    """Yield the quantities that the scenario itself states."""
    for name, device in point.scenario.device.items():
        yield f"device.{name}.channels", device.channels_quantity
    for index, vm in enumerate(point.scenario.vm):
        for at, load in vm.loads_at:
            for key in ("cpu_user", "cpu_kernel"):
                quantity = getattr(load, key, None)
                if quantity is not None:
                    yield f"vm[{index}].{at}.{key}", quantity
