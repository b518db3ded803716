"""The guest's network stack and its application: what every technique's guest does for a message.

A message goes through the stack once, however many packets it becomes: TSO cuts it behind the
guest, GRO has put it together before. What each further packet takes is its share of buffers,
descriptors and acknowledgements.
"""

from virtperf.path import Path, work
from virtperf.technique.costs import Costs
from virtperf.technique.net.message import Message

STACK, APPLICATION = "vcpu: network stack", "vcpu: guest user"


def copied(data: int, costs: Costs) -> float:
    """Return how long a CPU copies so many bytes, in ns."""
    return 1e9 * data / costs.quantity("copy_bandwidth").base if data else 0.0


def send(message: Message, costs: Costs, *, on: str = "vcpu") -> Path:
    """Return a call that sends a message: copy, protocols, and the driver's part."""
    further = (message.packets - 1) * costs.ns("net_segment") if message.packets > 1 else 0.0
    ns = costs.ns("net_send") + further + copied(message.data, costs)
    return (*_counted(on, ns, message, "out"),)


def acknowledge(message: Message, costs: Costs, *, on: str = "vcpu") -> Path:
    """Return the sending of an acknowledgement, without a call of the application."""
    return (work(on, costs.ns("net_acknowledge"), STACK, counts="packets.out"),)


def receive(message: Message, costs: Costs) -> Path:
    """Return what the interrupt's handler does with a message: driver, protocols, the socket."""
    if not message.data:
        return (work("handler", costs.ns("net_acknowledge"), STACK, counts="packets.in"),)
    further = (message.packets - 1) * costs.ns("net_segment") if message.packets > 1 else 0.0
    return (*_counted("handler", costs.ns("net_receive") + further, message, "in"),)


def read(message: Message, costs: Costs) -> Path:
    """Return how the application gets a message: it is scheduled, and its call copies."""
    return (work("vcpu", costs.ns("net_read") + copied(message.data, costs), STACK),)


def application(ns: float) -> Path:
    """Return what the application does with a request."""
    return (work("vcpu", ns, APPLICATION),) if ns else ()


def _counted(on: str, ns: float, message: Message, way: str) -> Path:
    """Return work on a message, in a step that counts its packets and one that counts its data."""
    return (
        work(on, ns, STACK, counts=f"packets.{way}", times=message.packets),
        work(on, 0.0, STACK, counts=f"bytes.{way}", times=max(1, message.data)),
    )
