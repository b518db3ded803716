"""What a path allows and forbids, with reasons: data, for tables and notes."""

import tomllib
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from virtperf import catalog
from virtperf.errors import UnknownNameError

FEATURES: Mapping[str, str] = {
    "sharing": "several VMs share the device",
    "migration": "live migration",
    "interposition": "the hypervisor sees each request",
    "overcommit": "guest memory may be overcommitted",
    "guest": "an unmodified guest",
}
"""Their names, and what they are in words."""


class Feature(NamedTuple):
    """Whether a path can do something, and why.

    Attributes
    ----------
    can : {'yes', 'no', 'partly'}
    why, source, checked : str
    """

    can: str
    why: str
    source: str
    checked: str


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(catalog.text("paths.toml"))


def _entries(technique: str) -> list[Mapping[str, Any]]:
    """Return the tables whose names a technique's begins with, the longest first."""
    names = [name for name in _data() if f"{technique}-".startswith(f"{name}-")]
    if not names:
        raise UnknownNameError("path", technique, _data())
    return [_data()[name] for name in sorted(names, key=len, reverse=True)]


def feature(technique: str, name: str) -> Feature:
    """Return one feature of the path of a disk technique.

    Raises
    ------
    UnknownNameError
        If there is no such path, or no such feature.

    Examples
    --------
    >>> feature("passthrough", "sharing").can, feature("emulated-nvme", "sharing").can
    ('no', 'yes')
    """
    if name not in FEATURES:
        raise UnknownNameError("feature", name, FEATURES)
    found = next(entry[name] for entry in _entries(technique) if name in entry)
    return Feature(**found)


def guards(technique: str) -> str:
    """Return who stands between a guest's requests and memory that is not its own, in words."""
    return str(next(entry["guards"] for entry in _entries(technique) if "guards" in entry))
