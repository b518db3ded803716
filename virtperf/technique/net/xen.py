"""Xen's split network driver: netfront in the guest, netback, bridge and NIC in Dom0.

Out: the front end names its pages in the grant table, a piece of 4 KiB an entry, and sends an event
if the back end asked for one. Netback's poll takes what the ring holds; one call has the hypervisor
copy the first bytes of each message and map the rest. It goes through the bridge to the NIC's
driver. When the NIC is done with it a kernel thread unmaps, which flushes the TLBs of all of Dom0;
only then is the ring's entry free. What fits into the first bytes needs no map, and is answered at
once.

In: the NIC interrupts Xen, Dom0's handler brings the packet over the bridge to the guest's queue,
and wakes that queue's thread. It has the hypervisor copy up to 64 pieces in a call, on Dom0's CPU,
into pages that the guest has named before. Old Xen gave the guest the page itself instead (flip):
it is taken from Dom0 and put into the guest page by page, which takes calls and flushes of both.

A message crosses once, however many packets it becomes behind the guest (TSO, GSO).
"""

from virtperf.path import (
    CONSUMER_STATES,
    Bell,
    ConsumerState,
    Path,
    Ringing,
    Rule,
    Spawn,
    Transition,
    end,
    give,
    lock,
    ring,
    take,
    unlock,
    work,
)
from virtperf.technique.costs import Costs
from virtperf.technique.io.grants import CALL, GRANT, PAGE, TABLE, flushed
from virtperf.technique.io.plan import Task
from virtperf.technique.net import host
from virtperf.technique.net.message import HEADERS, Message
from virtperf.technique.net.plan import RX_RING, TX_RING, Plan, Port, Told
from virtperf.technique.net.stack import copied

KICK, PIRQ, MAPPED, DEALLOC_WAKE = "kick", "pirq", "tx grants", "dealloc wake-up"
RX_WAKE, COPIED, TX_IRQ, RX_IRQ = "rx wake-up", "rx grants", "tx irq", "rx irq"
TX, SUBMIT, DEALLOC = "netback tx", "netback submit", "netback dealloc"
RX, DONE = "netback rx", "netback rx done"
VIF_QUEUE = "vif queue"
FRONT, BACK, STACK = "vcpu: netfront", "dom0: netback", "dom0: network stack"
SEND = "event_channel_op"


def netfront(port: Port, costs: Costs) -> Plan:
    """Return netfront and netback."""
    held = max(1, costs.count("netif_ring") // pieces(port.largest))
    nic = port.messages_in(port.nic_ring)
    poll, batch = costs.count("netback_poll"), costs.count("netback_batch")
    return Plan(
        out=lambda message: _out(message, port, costs),
        into=lambda message: _into(message, port, costs),
        bells=_bells(costs),
        credits={
            TX_RING: held,
            RX_RING: held,
            VIF_QUEUE: costs.count("vif_queue"),
            host.NIC_TX: nic,
            host.NIC_RX: nic,
        },
        spinlocks=(TABLE,),
        dom0=(
            Task(name=TX, batch=poll),
            Task(name=SUBMIT),
            Task(name=DEALLOC),
            Task(name=RX, batch=batch),
            Task(name=DONE),
        ),
    )


def pieces(message: Message) -> int:
    """Return how many pages, and entries of a ring, a message takes.

    Examples
    --------
    >>> pieces(Message(data=1)), pieces(Message(data=65_536))
    (1, 17)
    """
    return max(1, -(-(message.data + HEADERS[message.protocol]) // PAGE))


# -- out ----------------------------------------------------------------------------------------


def _out(message: Message, port: Port, costs: Costs) -> Path:
    length = message.data + HEADERS[message.protocol]
    linear = min(length, costs.count("netback_linear"))
    pages = pieces(message) if length > linear else 0
    named = costs.ns("front_end") + pieces(message) * costs.ns("grant_entry")
    granted = costs.ns("grant_copy") + copied(linear, costs) + pages * costs.ns("grant_map")
    done = _unmaps(message, port, costs, pages) if pages else _freed(message, costs)
    return (
        take(TX_RING),
        work("vcpu", named, FRONT),
        ring(KICK),
        work("dom0", costs.ns("back_end_pop"), BACK),
        ring(MAPPED, hold="defer"),
        lock(TABLE, masked=False),
        work("dom0", granted, GRANT),
        unlock(TABLE),
        work("dom0", host.forward_ns(message, costs), STACK),
        *(() if pages else (_answer(costs),)),
        take(host.NIC_TX),
        *port.sent(message, costs),
        done,
    )


def _cleaned(message: Message, costs: Costs) -> Path:
    """Return Dom0's interrupt when the NIC has sent a message."""
    ns = message.packets * costs.ns("nic_descriptor")
    return (ring(PIRQ), work("dom0", ns, "dom0: TX cleanup"), give(host.NIC_TX))


def _freed(message: Message, costs: Costs) -> Spawn:
    return Spawn(name="TX cleanup", path=(*_cleaned(message, costs), end()))


def _unmaps(message: Message, port: Port, costs: Costs, pages: int) -> Spawn:
    """Return the thread that unmaps, with the flush that takes, and answers the front end."""
    unmapped = (
        CALL,
        lock(TABLE, masked=False),
        work("dom0", pages * costs.ns("grant_unmap"), GRANT),
        unlock(TABLE),
        *flushed(costs, port.others),
    )
    path = (*_cleaned(message, costs), ring(DEALLOC_WAKE), *unmapped, *_answered(costs))
    return Spawn(name="TX completion", path=path)


def _answer(costs: Costs) -> Spawn:
    """Return the answer to what was copied whole."""
    return Spawn(name="TX completion", path=_answered(costs), to=DEALLOC)


def _answered(costs: Costs) -> Path:
    return (
        work("dom0", costs.ns("back_end_push"), BACK),
        ring(TX_IRQ),
        work("handler", costs.ns("front_end"), FRONT),
        give(TX_RING),
        end(),
    )


# -- in -----------------------------------------------------------------------------------------


def _into(message: Message, port: Port, costs: Costs) -> Path:
    count = pieces(message)
    length = message.data + HEADERS[message.protocol]
    received = host.received_ns(message, costs)
    moved, guest = costs.ns("back_end_pop"), costs.ns("front_end")
    if port.flip:
        granted, guest = count * costs.ns("grant_flip"), guest + count * costs.ns("flip_remap")
    else:
        granted = count * costs.ns("grant_copy") + copied(length, costs)
    return (
        *port.received(message, costs),
        take(host.NIC_RX, otherwise=(end("lost: NIC ring full"),)),
        ring(PIRQ),
        work("dom0", received, STACK),
        give(host.NIC_RX),
        take(VIF_QUEUE, otherwise=(end("lost: vif queue full"),)),
        ring(RX_WAKE),
        take(RX_RING),
        work("dom0", moved, BACK),
        lock(TABLE, masked=False),
        work("dom0", granted, "dom0: page flips" if port.flip else "dom0: grant copy"),
        unlock(TABLE),
        ring(COPIED, hold="defer"),
        work("dom0", costs.ns("back_end_push"), BACK),
        give(VIF_QUEUE),
        ring(RX_IRQ),
        work("handler", guest + count * costs.ns("grant_entry"), FRONT),
        give(RX_RING),
    )


# -- doorbells ----------------------------------------------------------------------------------


def _bells(costs: Costs) -> tuple[Told, ...]:
    sends = (Transition(name="hypercall", reason=SEND),)
    event = work("dom0", costs.ns("event_handler"), "dom0: event")
    pirq = (work("dom0", costs.ns("xen_interrupt"), "dom0: interrupt in Xen", masked=True), event)
    return (
        Told(bell=_bell(KICK, TX, "event-index", sends, (event,)), sender="vcpu", event=True),
        Told(bell=_bell(PIRQ, "dom0.interrupt", "always", (), pirq), moderated=True, event=True),
        Told(bell=_calls(MAPPED, SUBMIT), sender="dom0"),
        Told(bell=_wakes(DEALLOC_WAKE, DEALLOC, costs), sender="dom0"),
        Told(bell=_wakes(RX_WAKE, RX, costs), sender="dom0"),
        Told(bell=_calls(COPIED, DONE), sender="dom0"),
        Told(bell=_answers(TX_IRQ), sender="dom0", interrupts=True),
        Told(bell=_answers(RX_IRQ), sender="dom0", interrupts=True),
    )


def _bell(name: str, to: str, rule: Rule, sender: Path, target: Path) -> Bell:
    """Return a doorbell that costs the same in all states but one: who is active needs none."""
    states: dict[ConsumerState, Ringing] = {
        state: Ringing(sender=sender, target=() if state == "active" else target)
        for state in CONSUMER_STATES
    }
    counts = {KICK: "kicks", PIRQ: "pirqs"}.get(name, "")
    return Bell(name=name, to=to, rule=rule, costs=states, counts=counts)


def _calls(name: str, to: str) -> Bell:
    """Return the call that does for all of a batch what the hypervisor must do."""
    states: dict[ConsumerState, Ringing] = {s: Ringing(sender=(CALL,)) for s in CONSUMER_STATES}
    return Bell(name=name, to=to, rule="batch", costs=states)


def _wakes(name: str, to: str, costs: Costs) -> Bell:
    """Return the wake-up of a thread on the same vCPU."""
    woken = work("dom0", costs.ns("kthread_wake_cpu"), "dom0: wake-up of a thread")
    return _bell(name, to, "always", (), (woken,))


def _answers(name: str) -> Bell:
    """Return the back end's event, by index; delivering it is the guest's CPU technique's."""
    sends = (Transition(name="hypercall", reason=SEND, where="dom0"),)
    return Bell(
        name=name,
        to="handler.interrupt",
        rule="event-index",
        costs={state: Ringing(sender=sends) for state in CONSUMER_STATES},
        counts="interrupts",
    )
