"""Whole-VM profiles: the techniques for CPU, memory and I/O that go together, as shipped data."""

import tomllib
from dataclasses import dataclass
from functools import cache

from virtperf import catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One way to virtualize a whole machine.

    Attributes
    ----------
    name, title, about : str
    guest : str
        ``unmodified`` or ``ported``.
    cpu, memory, disk, nic : str
        Techniques; a VM takes those for what it has.
    change : tuple of str
        What must be changed in the guest, as a plain list.
    protects : str
        What keeps guests apart, in words.
    """

    name: str
    title: str
    about: str
    guest: str
    cpu: str
    memory: str
    disk: str
    nic: str
    change: tuple[str, ...] = ()
    protects: str = ""


def names() -> tuple[str, ...]:
    """Return the names of all profiles, from the least virtualized to the most assisted.

    Examples
    --------
    >>> names()
    ('container', 'full-software', 'xen-pv', 'hvm', 'hvm-sriov')
    """
    order = ("container", "full-software", "xen-pv", "hvm", "hvm-sriov")
    rank = {name: number for number, name in enumerate(order)}
    return tuple(sorted(catalog.names("profiles"), key=lambda name: (rank.get(name, 99), name)))


@cache
def profile(name: str) -> Profile:
    """Return a profile.

    Raises
    ------
    UnknownNameError
        If there is none of that name; near matches are offered.
    """
    data = tomllib.loads(catalog.path("profiles", name).read_text(encoding="utf-8"))
    return Profile(name=name, **data | {"change": tuple(data.get("change", ()))})
