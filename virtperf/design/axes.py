"""How users type an axis, and how a point is printed so that it reads back."""

from collections.abc import Mapping
from typing import Any

from virtperf.design.levels import read_level
from virtperf.design.ranges import Range
from virtperf.errors import ParameterError


def label(point: Mapping[str, Any]) -> str:
    """Return a point in words, for example ``"vm.disk=virtio vm.count=8"``."""
    return " ".join(f"{address}={level}" for address, level in point.items())


def axis(text: str) -> tuple[str, list[Any]]:
    """Read an axis as users type it; without levels the list is empty.

    A range of integers, or of a number of levels, is all of them; see `Range.read`.

    Examples
    --------
    >>> axis("vm.count=1,8")
    ('vm.count', [1, 8])
    >>> axis("vm.count=1..4")
    ('vm.count', [1, 2, 3, 4])
    >>> axis("vm.disk.poll=0..50000/3")
    ('vm.disk.poll', [0, 25000, 50000])
    >>> axis("vm.disk")
    ('vm.disk', [])
    >>> axis("host.smt=false,true")
    ('host.smt', [False, True])
    """
    address, equals, levels = text.partition("=")
    if not address.strip() or (equals and not levels.strip()):
        must = "an address, or an address with levels such as vm.count=1,2,4 or vm.count=1..4"
        raise ParameterError("design", "over", must, text)
    if equals and ".." in levels:
        return address.strip(), Range.read(levels, field=address.strip()).levels(address.strip())
    return address.strip(), [read_level(item) for item in levels.split(",") if equals]
