"""From what users and files say a factor varies in, to its range or its levels."""

from collections.abc import Iterable, Mapping
from typing import Any

from virtperf.design.levels import read_level
from virtperf.design.ranges import LIKE_ONE, Range
from virtperf.errors import ParameterError


def ranged(text: str) -> tuple[str, Range]:
    """Read a factor and its range as users type them.

    Examples
    --------
    >>> ranged("vm.count=1..8")
    ('vm.count', Range(low=1, high=8, integer=True, log=False, relative=False, choices=()))
    """
    address, equals, levels = text.partition("=")
    if not (address.strip() and equals and levels.strip()):
        must = "an address with a range, such as vm.count=1..8"
        raise ParameterError("design", "over", must, text)
    return address.strip(), Range.read(levels, field=address.strip())


def ranges(table: Mapping[str, "Range | str | Iterable[Any]"]) -> dict[str, Range]:
    """Return the range of every factor; a text is read, a list is of levels.

    The table ``vary`` of an experiment file may be given as it is.

    Raises
    ------
    ParameterError
        If a factor has fewer than two levels, so that it varies in nothing.

    Examples
    --------
    >>> list(ranges({"vm": {"count": "1..8", "disk": {"poll": "0..50000"}}}))
    ['vm.count', 'vm.disk.poll']
    """
    found = {address: as_range(given, field=address) for address, given in flat(table).items()}
    if not found:
        raise ParameterError("design", "ranges", "given for at least one address", dict(table))
    for address, one in found.items():
        if len(one.choices) == 1:
            raise ParameterError("design", address, "given at least two levels", one.choices[0])
    return found


def as_range(given: Any, *, owner: str = "design", field: str = "range") -> Range:
    """Return a range, a text that tells one, or a list of levels, as a range."""
    if isinstance(given, Range):
        return given
    if isinstance(given, str):
        return Range.read(given, owner=owner, field=field)
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise ParameterError(owner, field, "a list of levels, or a range such as '1..8'", given)
    choices = tuple(given)
    if not choices:
        raise ParameterError(owner, field, "given at least one level", list(choices))
    if len(set(map(str, choices))) < len(choices):
        raise ParameterError(owner, field, "given each level once", list(choices))
    return Range(choices=choices)


def as_levels(given: Any, *, once: bool, owner: str = "design", field: str) -> list[Any]:
    """Return every level of a range, of a text that tells one, or of a list.

    Without `once` a level may occur twice.
    """
    if once or isinstance(given, Range) or (isinstance(given, str) and LIKE_ONE.search(given)):
        return as_range(given, owner=owner, field=field).levels(field, owner=owner)
    if isinstance(given, str):
        return [read_level(item) for item in given.split(",")]
    if isinstance(given, Iterable) and not isinstance(given, Mapping) and (found := list(given)):
        return found
    raise ParameterError(owner, field, "a list of levels, or a range such as '1..8'", given)


def flat(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return a table with its tables' keys joined: TOML reads ``vm.count`` as two keys.

    Examples
    --------
    >>> flat({"vm": {"count": 8}, "vm[0].vcpus": 2})
    {'vm.count': 8, 'vm[0].vcpus': 2}
    """
    found: dict[str, Any] = {}
    for key, value in table.items():
        inner = isinstance(value, Mapping)
        found |= flat(value, f"{above}{key}.") if inner else {f"{above}{key}": value}
    return found
