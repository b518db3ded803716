"""Network techniques without a clock: frames, steps, crossings."""

import pytest

from tests.nets import NICS
from virtperf import catalog
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.path import Step, Transition
from virtperf.technique.costs import Costs
from virtperf.technique.net import Message, Port, net_plan
from virtperf.technique.net.native import LIMIT

BIG = Message(data=65_536)
SMALL = Message(data=1)


def costs() -> Costs:
    return Costs(catalog.platform("toy"), catalog.devices(), catalog.iommus())


def port(**words) -> Port:
    return Port(**({"line": 0.8, "ring": 256, "nic_ring": 512, "largest": BIG} | words))


def crossings(path) -> list[tuple[str, str]]:
    return [(part.reason, part.to) for part in path if isinstance(part, Transition)]


def works(path, where: str) -> float:
    """Return the time of all work on a worker."""
    return sum(
        part.cost.mean
        for part in path
        if isinstance(part, Step) and part.kind == "work" and part.where == where
    )


@pytest.mark.parametrize(("frame", "mpps"), [(64, 14.88), (128, 8.44), (256, 4.52)])
def test_frames_fill_a_line_of_10_gigabits_as_tables_of_packet_rates_say(frame, mpps):
    """The tables (netif-staging-grants of Xen) are rounded to two digits, upwards or not."""
    message = Message(data=frame - 18 - 28, protocol="udp")
    assert message.frame_bytes == frame
    assert 10e9 / (8 * message.wire_bytes) / 1e6 == pytest.approx(mpps, abs=0.01)


def test_a_short_frame_is_padded_and_a_long_burst_is_cut():
    assert Message(data=0).wire_bytes == 52 + 18 + 20
    assert Message(data=1, protocol="udp").wire_bytes == 84
    assert BIG.packets == 46
    assert BIG.wire_bytes == 65_536 + 46 * (52 + 38)


@pytest.mark.parametrize(("words", "field"), [({"data": -1}, "data"), ({"mtu": 52}, "mtu")])
def test_a_message_that_cannot_be_is_refused(words, field):
    with pytest.raises(ParameterError) as error:
        Message(**({"data": 1} | words))
    assert error.value.field == field


def test_the_slower_of_line_and_nic_sets_the_pace():
    limited = port(packet=100.0)
    assert limited.on_wire(SMALL) == 100.0
    assert limited.on_wire(BIG) == 0.8 * BIG.wire_bytes


@pytest.mark.parametrize("name", NICS)
def test_only_those_that_trap_kick_or_call_leave_the_guest_on_the_way_out(name):
    plan = net_plan(name, port(), costs())
    bells = {told.bell.name: told.bell for told in plan.bells}
    out = plan.out(SMALL)
    kicked = [part.where for part in out if isinstance(part, Step) and part.kind == "ring"]
    left = crossings(out) + [
        (part.reason, part.to)
        for where in kicked
        for part in bells[where].costs["asleep"].sender
        if isinstance(part, Transition)
    ]
    expected = {"emulated-e1000": [("io", "user")]}
    expected |= {one: [("kick", "kernel")] for one in NICS if one.startswith(("virtio", "vhost"))}
    expected["xen-netfront"] = [("event_channel_op", "kernel"), ("grant_table_op", "kernel")]
    assert left == expected.get(name, [])


def test_an_e1000_touches_its_registers_five_times_in_an_interrupt_and_cuts_bursts_itself():
    plan = net_plan("emulated-e1000", port(), costs())
    assert crossings(plan.into(SMALL)) == [("io", "user")] * 5
    calls = works(plan.out(BIG), "vcpu") - works(plan.out(SMALL), "vcpu")
    numbers = costs()
    each = numbers.ns("tap_call") + numbers.ns("host_forward")
    copies = 1e9 * (BIG.data - SMALL.data) / numbers.quantity("copy_bandwidth").base
    assert calls == pytest.approx((BIG.packets - 1) * each + copies)


def test_a_burst_crosses_a_vhost_worker_once():
    """A burst costs its copy, and a descriptor of the NIC for each further packet."""
    plan, numbers = net_plan("vhost-net", port(), costs()), costs()
    more = works(plan.out(BIG), "vhost-worker") - works(plan.out(SMALL), "vhost-worker")
    copies = 1e9 * (BIG.data - SMALL.data) / numbers.quantity("copy_bandwidth").base
    assert more == pytest.approx(copies + (BIG.packets - 1) * numbers.ns("nic_descriptor"))


@pytest.mark.parametrize(("largest", "batch"), [(SMALL, 256), (BIG, 8), (Message(data=4096), 128)])
def test_a_vhost_worker_has_a_weight_of_packets_and_one_of_bytes(largest, batch):
    plan = net_plan("vhost-net", port(largest=largest), costs())
    assert {task.batch for task in plan.tasks} == {batch}


def test_a_vhost_worker_serves_a_queue_pair():
    (thread,) = net_plan("vhost-net", port(queues=4), costs()).threads
    assert (thread.count, thread.of(3)) == (4, "vhost-worker3")


def test_a_worker_that_cannot_leave_its_notifications_off_has_a_rule_of_its_own():
    for suppress, rule in ((True, "event-index"), (False, "re-enabled")):
        plan = net_plan("vhost-net", port(suppress=suppress), costs())
        (kick,) = (told.bell for told in plan.bells if told.bell.name == "kick")
        assert kick.rule == rule


def test_a_virtual_function_that_is_limited_waits_for_its_turn_to_send():
    limited = net_plan("sriov", port(limit=8.0), costs())
    (turn,) = (part for part in limited.out(BIG) if getattr(part, "where", "") == LIMIT)
    assert turn.cost.mean == 8.0 * BIG.wire_bytes
    assert limited.stations == (LIMIT,)
    assert net_plan("sriov", port(), costs()).stations == ()


def test_an_unknown_technique_is_answered_with_the_right_one():
    with pytest.raises(UnknownNameError, match="vhost-net"):
        net_plan("vhost-ne", port(), costs())
