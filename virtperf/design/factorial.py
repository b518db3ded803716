"""Designs that are written out: grids, axes in step, lists of points, and their products."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, TypeAlias

from virtperf.design.axes import label
from virtperf.design.reading import as_levels
from virtperf.errors import ParameterError

Point: TypeAlias = dict[str, Any]
Design: TypeAlias = list[Point]


def grid(axes: Mapping[str, Iterable[Any]] | None = None, /, **more: Iterable[Any]) -> Design:
    """Return the full factorial design: one dict per point, the last axis varying fastest.

    Parameters
    ----------
    axes : mapping of address to levels, optional
        Addresses such as ``"vm.disk"``, which are no Python names. Levels are a list, a `Range`,
        or a text that `Range.read` takes.
    **more : iterable
        Axes whose address is a name, for example ``platform=[...]``.

    Examples
    --------
    >>> grid({"vm.disk": ["native", "virtio"], "vm.count": [1]})
    [{'vm.disk': 'native', 'vm.count': 1}, {'vm.disk': 'virtio', 'vm.count': 1}]
    >>> grid({"vm.count": "1..3"})
    [{'vm.count': 1}, {'vm.count': 2}, {'vm.count': 3}]
    """
    levels = _levels({**(axes or {}), **more})
    return [dict(zip(levels, row, strict=True)) for row in product(*levels.values())]


def zipped(axes: Mapping[str, Iterable[Any]]) -> Design:
    """Return the design whose axes move in step: the first levels of all, then the second ones.

    Parameters
    ----------
    axes : mapping of address to levels
        As in `grid`, all of the same length. A level may occur twice, a point may not.

    Examples
    --------
    >>> zipped({"vm.vcpus": [1, 2], "host.pcpus": [4, 8]})
    [{'vm.vcpus': 1, 'host.pcpus': 4}, {'vm.vcpus': 2, 'host.pcpus': 8}]
    """
    levels = _levels(axes, once=False)
    lengths = {address: len(values) for address, values in levels.items()}
    if len(set(lengths.values())) > 1:
        says = ", ".join(f"{address} has {count}" for address, count in lengths.items())
        raise ParameterError("design", "zip", "of as many levels on every axis", says)
    return listed(
        [dict(zip(levels, row, strict=True)) for row in zip(*levels.values(), strict=True)]
    )


def listed(points: Iterable[Mapping[str, Any]]) -> Design:
    """Return a design whose points are written out, after a check that they make one.

    Parameters
    ----------
    points : iterable of mapping
        Address to level; all name the same addresses, and none occurs twice.

    Examples
    --------
    >>> listed([{"vm.count": 1, "vm.vcpus": 8}, {"vm.count": 8, "vm.vcpus": 1}])
    [{'vm.count': 1, 'vm.vcpus': 8}, {'vm.count': 8, 'vm.vcpus': 1}]
    """
    design = [dict(point) for point in points]
    if not design or not design[0]:
        raise ParameterError("design", "points", "at least one point with an address", design)
    seen: set[str] = set()
    for number, point in enumerate(design):
        if point.keys() != design[0].keys():
            must = f"of the same addresses as points[0] ({', '.join(design[0])})"
            raise ParameterError("design", f"points[{number}]", must, ", ".join(point))
        same = label({address: point[address] for address in design[0]})
        if same in seen:
            raise ParameterError("design", f"points[{number}]", "given once", same)
        seen.add(same)
    return design


def crossed(*designs: Sequence[Point]) -> Design:
    """Return every point of the first design with every one of the second, and so on.

    Examples
    --------
    >>> crossed([{"vm.disk": "virtio"}], [{"vm.count": 1}, {"vm.count": 2}])
    [{'vm.disk': 'virtio', 'vm.count': 1}, {'vm.disk': 'virtio', 'vm.count': 2}]
    """
    seen: set[str] = set()
    for design in designs:
        for address in design[0] if design else ():
            if address in seen:
                raise ParameterError("design", address, "varied in one place", "two")
            seen.add(address)
    return [{k: v for part in parts for k, v in part.items()} for parts in product(*designs)]


def _levels(axes: Mapping[str, Iterable[Any]], *, once: bool = True) -> dict[str, list[Any]]:
    return {address: as_levels(one, once=once, field=address) for address, one in axes.items()}
