"""How a disk is virtualized: a technique answers one request with a path, and its threads."""

from collections.abc import Callable, Mapping

from virtperf.errors import UnknownNameError
from virtperf.technique.costs import Costs
from virtperf.technique.io import direct, emulated, native, nvme, virtio, xen_block
from virtperf.technique.io.plan import Guest, Plan, Thread

__all__ = ["Guest", "Plan", "Thread", "disk_plan"]

_TECHNIQUES: Mapping[str, Callable[[Guest, Costs], Plan]] = {
    "native": native.plan,
    "emulated-ide": emulated.ide,
    "emulated-ahci": emulated.ahci,
    "emulated-nvme": emulated.nvme,
    "emulated-nvme-ioeventfd": nvme.on_main_loop,
    "emulated-nvme-iothread": nvme.on_iothread,
    "emulated-nvme-dbbuf": nvme.shadowed,
    "virtio-main-loop": virtio.on_main_loop,
    "virtio": virtio.plan,
    "vhost-blk": virtio.vhost,
    "vhost-user-blk": virtio.vhost_user,
    "passthrough": direct.passthrough,
    "sriov": direct.sriov,
    "xen-blkfront": xen_block.plan,
}


def disk_plan(name: str, guest: Guest, costs: Costs) -> Plan:
    """Return what a disk under technique `name` does for `guest`.

    Raises
    ------
    UnknownNameError
        If there is no technique of that name.
    """
    if name not in _TECHNIQUES:
        raise UnknownNameError("disk technique", name, _TECHNIQUES)
    return _TECHNIQUES[name](guest, costs)
