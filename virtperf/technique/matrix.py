"""Which techniques go together: one table of data with a reason per forbidden cell."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

from virtperf import catalog
from virtperf.errors import UnknownNameError

GUESTS = ("unmodified", "ported")


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(catalog.text("techniques.toml"))


def cpu_techniques() -> tuple[str, ...]:
    """Return the CPU techniques, in the order of the table."""
    return tuple(_data()["cpu"])


def disk_techniques() -> tuple[str, ...]:
    """Return the disk techniques, in the order of the table."""
    return tuple(_data()["disk"])


def title(kind: str, name: str) -> str:
    """Return what `name` is, in words; `kind` is ``"cpu"`` or ``"disk"``."""
    try:
        return str(_data()[kind][name]["title"])
    except KeyError:
        raise UnknownNameError(f"{kind} technique", name, _data()[kind]) from None


def not_modelled(disk: str) -> str:
    """Return what of a disk technique is known and left out, in words; "" if nothing is."""
    title("disk", disk)
    return str(_data()["disk"][disk].get("not_modelled", ""))


def queues(disk: str) -> int:
    """Return how many queues a disk technique has at most; 0 is no limit."""
    title("disk", disk)
    return int(_data()["disk"][disk].get("queues", 0))


def default_cpu(disk: str) -> str:
    """Return the CPU technique that a disk technique runs with unless told otherwise."""
    title("disk", disk)
    return str(_data()["disk"][disk]["default_cpu"])


def why_forbidden(cpu: str, disk: str, guest: str) -> str | None:
    """Return why three techniques do not go together, or None where they do.

    Parameters
    ----------
    cpu, disk, guest : str
        CPU technique, disk technique and kind of guest (``unmodified`` or ``ported``).
    """
    chosen = {"cpu": cpu, "disk": disk, "guest": guest}
    for row in _data()["forbidden"]:
        named: Mapping[str, Sequence[str]] = {k: v for k, v in row.items() if k in chosen}
        if all(chosen[key] in legal for key, legal in named.items()):
            return str(row["reason"])
    return None


def table() -> list[dict[str, str]]:
    """Return one row per combination: ``cpu disk guest allowed reason``."""
    rows = []
    for cpu, disk, guest in product(cpu_techniques(), disk_techniques(), GUESTS):
        reason = why_forbidden(cpu, disk, guest)
        allowed = "yes" if reason is None else "no"
        rows.append(dict(cpu=cpu, disk=disk, guest=guest, allowed=allowed, reason=reason or ""))
    return rows
