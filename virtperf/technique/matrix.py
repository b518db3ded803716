"""Which techniques go together: one table of data with a reason per forbidden cell."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any

from virtperf import catalog
from virtperf.errors import UnknownNameError

GUESTS = ("unmodified", "ported")
EMULATION = ("interpreter", "dbt", "static")
"""CPU techniques whose guest may be of another ISA."""
WITHOUT_PRIVILEGE = ("trap-emulate", "binary-translation", "paravirtual")
"""CPU techniques under which the guest's kernel has lost its privilege."""

HOSTLESS = ("direct",)
"""CPU techniques under which a guest that halts has no host to exit to."""

DIRECT = ("native", "passthrough", "sriov")
"""Disk and network techniques under which the guest's own driver programs the device's DMA."""
TAKES_POSTED = ("hardware",)
"""CPU techniques whose vCPUs can take a device's interrupt without leaving the guest (APICv)."""
KNOWS_MACHINE = ("paravirtual",)
"""CPU techniques whose guests know machine addresses; all others have guest-physical ones."""

GIVEN = ("passthrough", "sriov")
"""Those of them that give a guest a device, or a function of one: not every scenario has one."""

SPLIT = ("xen-blkfront", "xen-netfront")
"""Disk and network techniques whose back end is in a driver domain."""

CHOSEN = ("poll", "iothreads", "workers", "submission")
"""Fields of a disk that only some techniques have."""


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(catalog.text("techniques.toml"))


def cpu_techniques() -> tuple[str, ...]:
    """Return the CPU techniques, in the order of the table."""
    return tuple(_data()["cpu"])


def disk_techniques() -> tuple[str, ...]:
    """Return the disk techniques, in the order of the table."""
    return tuple(_data()["disk"])


def nic_techniques() -> tuple[str, ...]:
    """Return the network techniques, in the order of the table."""
    return tuple(_data()["nic"])


def memory_techniques() -> tuple[str, ...]:
    """Return the memory techniques, in the order of the table."""
    return tuple(_data()["memory"])


def title(kind: str, name: str) -> str:
    """Return what `name` is, in words; `kind` is ``cpu``, ``memory``, ``disk`` or ``nic``."""
    try:
        return str(_data()[kind][name]["title"])
    except KeyError:
        raise UnknownNameError(f"{kind} technique", name, _data()[kind]) from None


def not_modelled(kind: str, name: str) -> str:
    """Return what of a technique is known and left out, in words; "" if nothing is."""
    title(kind, name)
    return str(_data()[kind][name].get("not_modelled", ""))


def requires(cpu: str) -> str:
    """Return what a CPU technique asks of the machine and of the guest, in words."""
    title("cpu", cpu)
    return str(_data()["cpu"][cpu]["requires"])


def default_memory(cpu: str) -> str:
    """Return the memory technique that a CPU technique runs with unless told otherwise."""
    title("cpu", cpu)
    return str(_data()["cpu"][cpu]["memory"])


def default_guest(cpu: str) -> str:
    """Return the kind of guest that a CPU technique can carry, unmodified if it can."""
    unmodified, ported = GUESTS
    return ported if why_forbidden(cpu, unmodified) else unmodified


def queues(name: str, kind: str = "disk") -> int:
    """Return how many queues a disk or network technique has at most; 0 is no limit."""
    title(kind, name)
    return int(_data()[kind][name].get("queues", 0))


def ring(nic: str) -> str:
    """Return whose the rings of a network technique are: ``virtqueue``, ``e1000`` or ``nic``."""
    title("nic", nic)
    return str(_data()["nic"][nic]["ring"])


def default_queues(disk: str) -> int:
    """Return how many queues a disk technique has unless told otherwise; 0: one per vCPU."""
    title("disk", disk)
    return int(_data()["disk"][disk].get("default_queues", 0)) or queues(disk)


def polls(disk: str) -> bool:
    """Return whether the thread of a disk technique polls for a window before it sleeps."""
    title("disk", disk)
    return bool(_data()["disk"][disk].get("polls", False))


def threads(disk: str) -> str:
    """Return the field that says how many threads serve a disk's queues, "" if none does."""
    title("disk", disk)
    return str(_data()["disk"][disk].get("threads", ""))


def commits(disk: str) -> bool:
    """Return whether the driver of a disk technique may tell of several requests at once."""
    title("disk", disk)
    return bool(_data()["disk"][disk].get("commits", False))


def disks_where(field: str) -> tuple[str, ...]:
    """Return the disk techniques that have a field, one of `CHOSEN`."""
    named = disk_techniques()
    if field == "poll":
        return tuple(name for name in named if polls(name))
    if field == "submission":
        return tuple(name for name in named if commits(name))
    return tuple(name for name in named if threads(name) == field)


def default_iommu(name: str, kind: str = "disk") -> str:
    """Return how an IOMMU is used under a disk or network technique unless told otherwise."""
    title(kind, name)
    return str(_data()[kind][name].get("iommu", "none"))


def iommu_modes(name: str, kind: str = "disk") -> tuple[str, ...]:
    """Return how an IOMMU may be used under a technique; none is a choice of those with any.

    Examples
    --------
    >>> iommu_modes("native")
    ('none', 'static', 'strict', 'deferred')
    >>> iommu_modes("virtio")
    ()
    """
    title(kind, name)
    return tuple(_data()[kind][name].get("iommu_modes", ()))


def default_cpu(name: str, kind: str = "disk") -> str:
    """Return the CPU technique that a disk or network technique runs with by default."""
    title(kind, name)
    return str(_data()[kind][name]["default_cpu"])


def why_forbidden(
    cpu: str,
    guest: str,
    *,
    disk: str | None = None,
    nic: str | None = None,
    memory: str | None = None,
) -> str | None:
    """Return why techniques do not go together, or None where they do.

    Parameters
    ----------
    cpu, guest : str
        CPU technique and kind of guest (``unmodified`` or ``ported``).
    disk, nic, memory : str, optional
        Disk, network and memory technique; None where there is no disk or interface, or its choice
        is open.
    """
    chosen = {"cpu": cpu, "guest": guest, "disk": disk, "nic": nic, "memory": memory}
    for row in _data()["forbidden"]:
        named: Mapping[str, Sequence[str]] = {k: v for k, v in row.items() if k in chosen}
        if all(chosen[key] in legal for key, legal in named.items()):
            return str(row["reason"])
    return None


def table(kind: str = "disk") -> list[dict[str, str]]:
    """Return one row per combination of a CPU technique with one of memory or disk.

    Parameters
    ----------
    kind : {'disk', 'nic', 'memory'}

    Returns
    -------
    list of dict
        ``cpu``, the kind, ``guest allowed reason``.
    """
    rows = []
    for cpu, other, guest in product(cpu_techniques(), tuple(_data()[kind]), GUESTS):
        reason = why_forbidden(cpu, guest, **{kind: other})
        allowed = "yes" if reason is None else "no"
        rows.append({"cpu": cpu, kind: other, "guest": guest, "allowed": allowed})
        rows[-1]["reason"] = reason or ""
    return rows
