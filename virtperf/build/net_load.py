"""What a scenario's network load is made of: its messages, its path, the rate that is offered."""

from collections.abc import Callable
from typing import NamedTuple

from virtperf.dist import Deterministic, Distribution
from virtperf.path import Path
from virtperf.scenario import Interface, NetLoad, PacketLoad, ServerLoad, StreamLoad, Vm
from virtperf.technique.costs import Costs
from virtperf.technique.net import Message, Plan, loads
from virtperf.technique.net.message import LARGEST_SEGMENT, most_data

NOTHING = Deterministic(0.0)


class Use(NamedTuple):
    """How a VM uses its network.

    Attributes
    ----------
    kind : str
        What its requests are called.
    messages : tuple of Message
        Out of which its requests consist.
    path : callable
        The path of a request under a plan; its second argument says whether the vCPU that takes
        interrupts is not the process's, its third is the way of a block that a server reads.
    begins : bool
        Whether the guest begins, or the other side.
    outstanding : int
        Requests of a job under way; 0 where they come by the clock.
    think : Distribution
        Pause of a closed load.
    """

    kind: str
    messages: tuple[Message, ...]
    path: Callable[[Plan, bool, Path], Path]
    begins: bool
    outstanding: int
    think: Distribution


def use_of(vm: Vm, user: float, costs: Costs) -> Use:
    """Return how `vm` uses its network; its application takes `user` ns for a request."""
    nic, load = vm.on_nic
    if isinstance(load, StreamLoad):
        return _stream(nic, load, user, costs)
    if isinstance(load, PacketLoad):
        return _packets(nic, load, user, costs)
    request, reply = (Message(data=size, mtu=nic.mtu) for size in (load.request, load.reply))
    by_clock = isinstance(load, ServerLoad) and load.rate is not None
    return Use(
        kind=load.kind,
        messages=(request, reply),
        path=lambda plan, _, block: loads.transaction(plan, request, reply, user, costs, block),
        begins=False,
        outstanding=0 if by_clock else load.outstanding,
        think=load.think,
    )


def segment_of(nic: Interface, load: StreamLoad) -> int:
    """Return how many bytes of a stream go through the guest's stack at a time."""
    if load.segment is not None:
        return load.segment
    merged = nic.tso if load.direction == "out" else nic.gro
    return LARGEST_SEGMENT if merged else most_data(nic.mtu, "tcp")


def offered(load: NetLoad, use: Use, line: float) -> float:
    """Return how many packets a second a VM's load brings at most, `line` being ns per byte.

    Of a closed load: the line's packets, or as many as its pauses let it.
    """
    packets, wire = max((one.packets, one.wire_bytes * line) for one in use.messages)
    gap = load.gap()
    if gap is not None:
        return packets * load.jobs * 1e9 / gap.mean
    rates = [1e9 / wire] if wire else []
    pause = use.think.mean + sum(one.wire_bytes for one in use.messages) * line
    if use.think.mean:
        rates.append(load.jobs * use.outstanding * 1e9 / pause)
    return packets * min(rates) if rates else 0.0


def _stream(nic: Interface, load: StreamLoad, user: float, costs: Costs) -> Use:
    segment, out = Message(data=segment_of(nic, load), mtu=nic.mtu), load.direction == "out"

    def path(plan: Plan, foreign: bool, _: Path) -> Path:
        if out:
            return loads.stream_out(plan, segment, load.rtt, user, costs, foreign=foreign)
        return loads.stream_in(plan, segment, user, costs)

    return Use(
        kind=f"stream-{load.direction}",
        messages=(segment, loads.ACK),
        path=path,
        begins=out,
        outstanding=load.window,
        think=NOTHING if out else load.rtt,
    )


def _packets(nic: Interface, load: PacketLoad, user: float, costs: Costs) -> Use:
    packet, out = Message(data=load.size, mtu=nic.mtu, protocol="udp"), load.direction == "out"
    way = loads.packet_out if out else loads.packet_in
    return Use(
        kind=f"packets-{load.direction}",
        messages=(packet,),
        path=lambda plan, *_: way(plan, packet, user, costs),
        begins=out,
        outstanding=load.outstanding if load.rate is None else 0,
        think=NOTHING,
    )
