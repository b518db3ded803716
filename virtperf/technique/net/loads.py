"""What a guest does with its network, as one path: transactions, streams, packets.

`ring(APP)` hands a message from the interrupt's handler to the process that waits for it; the
names `PEER`, `SOCKET`, `APP` and `BLOCK` are the builder's, as those of the plan are.
"""

from virtperf.dist import Distribution
from virtperf.path import Path, continued, end, give, ring, serve, take
from virtperf.technique.costs import Costs
from virtperf.technique.net import stack
from virtperf.technique.net.message import Message
from virtperf.technique.net.plan import Plan

APP, PEER, SOCKET, BLOCK = "app", "peer", "socket buffer", "block"
ACK = Message(data=0)


def transaction(
    plan: Plan, request: Message, reply: Message, user: float, costs: Costs, block: Path = ()
) -> Path:
    """Return a request that comes in, is computed for `user` ns, and answered.

    Before the answer a `block` is read, to its end: then the process goes on.
    """
    answer = (*stack.send(reply, costs), *plan.out(reply), end())
    return (
        *_to_process(plan, request, costs),
        *stack.application(user),
        *(continued(block, (ring(BLOCK), *answer)) if block else answer),
    )


def stream_out(
    plan: Plan, segment: Message, rtt: Distribution, user: float, costs: Costs, *, foreign: bool
) -> Path:
    """Return a segment that goes out, and its acknowledgement, after which another may go.

    If the acknowledgement comes to a `foreign` vCPU, that one tells the process's.
    """
    away: Path = (serve(PEER, rtt, "the other side", purpose="peer"),) if rtt.mean > 0 else ()
    return (
        *stack.application(user),
        *stack.send(segment, costs),
        *plan.out(segment),
        *away,
        *plan.into(ACK),
        *stack.receive(ACK, costs),
        *((ring(APP),) if foreign else ()),
        end(),
    )


def stream_in(plan: Plan, segment: Message, user: float, costs: Costs) -> Path:
    """Return a segment that comes in, is read and acknowledged."""
    return (
        *_to_process(plan, segment, costs),
        *stack.application(user),
        *stack.acknowledge(ACK, costs),
        *plan.out(ACK),
        end(),
    )


def packet_out(plan: Plan, packet: Message, user: float, costs: Costs) -> Path:
    """Return a packet that goes out, and is forgotten behind the line."""
    return (*stack.application(user), *stack.send(packet, costs), *plan.out(packet), end())


def packet_in(plan: Plan, packet: Message, user: float, costs: Costs) -> Path:
    """Return a packet that comes in and is read, if the socket's buffer has room for it."""
    return (
        *plan.into(packet),
        *stack.receive(packet, costs),
        take(SOCKET, otherwise=(end("lost: socket buffer full"),)),
        ring(APP),
        *stack.read(packet, costs),
        give(SOCKET),
        *stack.application(user),
        end(),
    )


def _to_process(plan: Plan, message: Message, costs: Costs) -> Path:
    return (
        *plan.into(message),
        *stack.receive(message, costs),
        ring(APP),
        *stack.read(message, costs),
    )
