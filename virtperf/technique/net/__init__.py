"""How a network interface is virtualized: a technique answers with the way out and the way in."""

from collections.abc import Callable, Mapping

from virtperf.errors import UnknownNameError
from virtperf.technique.costs import Costs
from virtperf.technique.net import direct, emulated, native, virtio, xen
from virtperf.technique.net.message import Message
from virtperf.technique.net.plan import Plan, Port, Task, Told

__all__ = ["Message", "Plan", "Port", "Task", "Told", "net_plan"]

_TECHNIQUES: Mapping[str, Callable[[Port, Costs], Plan]] = {
    "native": native.plan,
    "emulated-e1000": emulated.e1000,
    "virtio-net": virtio.on_main_loop,
    "vhost-net": virtio.vhost,
    "vhost-user-net": virtio.vhost_user,
    "passthrough": direct.passthrough,
    "sriov": direct.sriov,
    "xen-netfront": xen.netfront,
}


def net_plan(name: str, port: Port, costs: Costs) -> Plan:
    """Return how messages go out of and into a guest under technique `name`.

    Raises
    ------
    UnknownNameError
        If there is no technique of that name.
    """
    if name not in _TECHNIQUES:
        raise UnknownNameError("network technique", name, _TECHNIQUES)
    return _TECHNIQUES[name](port, costs)
