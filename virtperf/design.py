"""Designs: which points an experiment visits. Knows addresses and levels, no scenario."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any, TypeAlias

from virtperf.errors import ParameterError

Point: TypeAlias = dict[str, Any]
Design: TypeAlias = list[Point]


def grid(axes: Mapping[str, Iterable[Any]] | None = None, /, **more: Iterable[Any]) -> Design:
    """Return the full factorial design: one dict per point, the last axis varying fastest.

    Parameters
    ----------
    axes : mapping of address to levels, optional
        Addresses such as ``"vm.disk"``, which are no Python names.
    **more : iterable
        Axes whose address is a name, for example ``platform=[...]``.

    Examples
    --------
    >>> grid({"vm.disk": ["native", "virtio"], "vm.count": [1]})
    [{'vm.disk': 'native', 'vm.count': 1}, {'vm.disk': 'virtio', 'vm.count': 1}]
    """
    levels = {address: list(values) for address, values in {**(axes or {}), **more}.items()}
    for address, values in levels.items():
        if not values:
            raise ParameterError("design", address, "given at least one level", values)
        if len(set(map(str, values))) < len(values):
            raise ParameterError("design", address, "given each level once", values)
    return [dict(zip(levels, row, strict=True)) for row in product(*levels.values())]


def label(point: Point) -> str:
    """Return a point in words, for example ``"vm.disk=virtio vm.count=8"``."""
    return " ".join(f"{address}={level}" for address, level in point.items())


def axis(text: str) -> tuple[str, list[Any]]:
    """Read an axis as users type it; without levels the list is empty.

    Examples
    --------
    >>> axis("vm.count=1,8")
    ('vm.count', [1, 8])
    >>> axis("vm.disk")
    ('vm.disk', [])
    >>> axis("host.smt=false,true")
    ('host.smt', [False, True])
    """
    address, equals, levels = text.partition("=")
    if not address.strip() or (equals and not levels.strip()):
        must = "an address, or an address with levels such as vm.count=1,2,4"
        raise ParameterError("design", "over", must, text)
    return address.strip(), [_level(item.strip()) for item in levels.split(",") if equals]


def _level(text: str) -> bool | int | float | str:
    if text in ("false", "true"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
