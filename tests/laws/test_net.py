"""Networks: what no path can break, and what each must do."""

import pytest

from tests.engines import both
from tests.laws.test_sim_is_theory import LAPS, laps, whole
from tests.nets import NICS, RR, SERVER, Ran, costless, net
from virtperf import catalog
from virtperf.technique import matrix
from virtperf.technique.net import Message, emulated, stack, virtio, xen
from virtperf.theory import zero_load

pytestmark = pytest.mark.laws
PARAVIRTUAL = ("virtio-net", "vhost-net", "vhost-user-net")
STREAM = {"kind": "stream", "window": 8, "rtt": "5us"}
SENDER = {"kind": "packets", "size": 1472, "outstanding": 64}
LOADS = {
    "rr": RR | {"outstanding": 4},
    "out": STREAM,
    "in": STREAM | {"direction": "in"},
    "packets": {"kind": "packets", "direction": "out", "rate": "50000/s"},
    "server": {"kind": "server", "rate": "20000/s", "cpu_user": "5us"},
}


@pytest.mark.parametrize("platform", ["toy", SERVER, "zen1-kvm-guest"])
@pytest.mark.parametrize("technique", NICS)
def test_a_lone_transaction_takes_what_theory_says(technique, platform):
    """What a message leaves behind, the cleanup of its ring, is in no lap; its counters are.

    Where Dom0 cleans up, guest and Dom0 come to share a pCPU, so that switches are for nothing.
    """
    numbers = catalog.platform(platform)
    if technique in matrix.SPLIT:
        numbers = numbers.replace(thread_switch=numbers["thread_switch"].scaled(0))
    built = net(technique, RR | {"think": "200us"}, platform=platform, numbers=numbers)
    theory = zero_load(built)
    latency, breakdown, _ = laps(built)
    assert breakdown == {a: ticks for a, ticks in whole(theory.breakdown).items() if ticks}
    assert latency == round(theory.latency * LAPS) == sum(breakdown.values())


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
@pytest.mark.parametrize("technique", NICS)
def test_both_engines_agree(technique, load):
    compiled, reference = both(net(technique, load, platform=SERVER), requests=150)
    assert compiled == reference


@pytest.mark.parametrize("load", ["rr", "out", "in", "server"])
@pytest.mark.parametrize("technique", NICS)
def test_a_path_that_costs_nothing_is_native(technique, load, monkeypatch):
    for module in (stack, virtio, emulated, xen):  # a copy at any bandwidth takes a tick at least
        monkeypatch.setattr(module, "copied", lambda data, costs: 0.0)
    words = {"numbers": costless(), "platform": SERVER}
    path, native = (Ran(net(one, LOADS[load], **words), 800).run for one in (technique, "native"))
    assert path.snapshots[-1].time == native.snapshots[-1].time
    assert (path.ends, path.sums) == (native.ends, native.sums)


@pytest.mark.parametrize("technique", NICS)
@pytest.mark.parametrize("direction", ["out", "in"])
def test_nothing_goes_over_a_line_faster_than_it_is(technique, direction):
    """A slow line is the limit of every path, but of e1000's; one round may stick out at an end."""
    rate = 1e9
    load = STREAM | {"direction": direction, "window": 32}
    ran = Ran(net(technique, load, platform=SERVER, physical={"rate": rate / 8}), 400)
    segment = Message(data=65_536)
    used = 8 * segment.wire_bytes * ran.done / ran.seconds / rate
    assert used <= 1
    assert used > 0.98


@pytest.mark.parametrize("technique", PARAVIRTUAL)
def test_a_nic_that_moves_few_packets_is_the_limit(technique):
    ran = Ran(net(technique, SENDER, platform=SERVER, physical={"packets": "10000/s"}))
    assert ran.done / ran.seconds == pytest.approx(10_000, rel=0.04)  # 64 of 2,000 on their way


@pytest.mark.parametrize("ring", [1, 2, 8])
def test_a_ring_and_what_an_entry_stays_in_it_bound_the_rate(ring):
    """Little's law: no more than a ring's entries, over the time that each is taken."""
    words = {"nic": {"ring": ring}, "physical": {"moderation": {"timer": "100us"}}}
    ran = Ran(net("native", SENDER, platform=SERVER, **words))
    bound = ring / 100e-6
    assert ran.done / ran.seconds <= bound * 1.01
    if ring == 1:
        assert ran.done / ran.seconds > 0.9 * bound


@pytest.mark.parametrize("count", [1, 4])
def test_functions_share_a_line_and_lose_nothing_of_what_it_brings(count):
    """What comes in is what is offered, whoever it is for (the publication: at 10 to 60 VMs)."""
    offered = 9.48e9 / 8 / 1472
    load = {"kind": "packets", "direction": "in", "size": 1472, "rate": offered / count}
    load |= {"arrivals": "deterministic", "jobs": 4}
    words = {"count": count, "vcpus": 4, "pcpus": 16, "platform": SERVER}
    timer = {"cpus": [0], "moderation": {"timer": "100us"}}
    ran = Ran(net("sriov", load, physical=timer, **words), 40_000)
    assert ran.lost == 0
    assert ran.per_second("packets.in") == pytest.approx(offered, rel=0.01)


@pytest.mark.parametrize("timer_us", [50, 100, 200, 400])
def test_interrupts_come_as_often_as_their_moderation_lets_them(timer_us):
    """A timer starts with a packet, so a period is the timer and the wait for that packet."""
    rate = 100_000
    load = {"kind": "packets", "direction": "in", "rate": rate, "arrivals": "deterministic"}
    words = {"platform": SERVER, "physical": {"moderation": {"timer": f"{timer_us}us"}}}
    ran = Ran(net("native", load, **words), 8000)
    per_second = ran.per_second("interrupts")
    assert 1e6 / (timer_us + 1e6 / rate) * 0.98 <= per_second <= 1e6 / timer_us * 1.02


@pytest.mark.parametrize(("rate", "expected"), [(20_000, 1000), (100_000, 1875), (150_000, 2812)])
def test_adaptive_moderation_follows_the_load_and_loses_nothing(rate, expected):
    """max(rate x 1.2 / 64, 1,000) a second; a timer that starts with a packet is a gap later."""
    load = {"kind": "packets", "direction": "in", "rate": rate, "arrivals": "deterministic"}
    ran = Ran(net("native", load, platform=SERVER, physical={"adaptive": {}}), 8000)
    period = 1 / expected + 1 / rate
    assert ran.per_second("interrupts") == pytest.approx(1 / period, rel=0.03)
    assert ran.lost == 0


def test_moderation_that_is_slower_than_the_ring_fills_loses_packets():
    load = {"kind": "packets", "direction": "in", "rate": 100_000}
    words = {"nic": {"ring": 32}, "platform": SERVER}
    slow, quick = (
        Ran(net("native", load, physical={"moderation": {"timer": timer}}, **words), 3000)
        for timer in ("2ms", "100us")
    )
    assert slow.lost > 0.5 * slow.done  # 200 come while 32 find room
    assert quick.lost == 0


@pytest.mark.parametrize("technique", NICS)
def test_kicks_and_interrupts_are_at_most_what_was_sent_and_received(technique):
    ran = Ran(net(technique, LOADS["server"] | {"rate": "30000/s"}, platform=SERVER))
    moved = ran.counts["packets.in"]
    if technique not in PARAVIRTUAL:  # these also interrupt when the ring is free again
        moved += ran.counts["packets.out"]
    assert ran.counts.get("kicks", 0) <= ran.counts["packets.out"]
    assert ran.counts["interrupts"] <= moved + 1
    exits = sum(ran.counts.get(f"exits.{way}", 0) for way in ("kick", "event_channel_op"))
    assert ran.counts.get("kicks", 0) == exits


@pytest.mark.parametrize("technique", ["passthrough", "sriov", "native"])
def test_a_guest_with_a_nic_of_its_own_never_leaves_to_send(technique):
    ran = Ran(net(technique, SENDER, platform=SERVER))
    assert not [name for name in ran.counts if name.startswith("exits") and ran.counts[name] > 1]


def test_a_polling_core_is_never_kicked_and_burns_its_cpu_whatever_comes():
    system = net("vhost-user-net", RR | {"think": "1ms"}, platform=SERVER)
    ran = Ran(system, 200)
    assert ran.counts["kicks"] == 0
    account = dict(zip(system.accounts, map(sum, zip(*ran.last.cpu, strict=True)), strict=True))
    polled = sum(t for name, t in account.items() if name.startswith("polling core"))
    assert polled == pytest.approx(ran.last.time, rel=0.01)


def test_a_worker_that_asks_again_at_each_pass_is_kicked_for_each_packet():
    words = {"platform": SERVER}
    asks, leaves = (
        Ran(net("vhost-net", SENDER, nic={"poll": "10us", "suppress": suppress}, **words))
        for suppress in (False, True)
    )
    assert 0.6 <= asks.per_request("kicks") <= 1.0
    assert leaves.per_request("kicks") < 0.001
    assert leaves.done / leaves.seconds > 1.2 * asks.done / asks.seconds


def test_what_a_queue_pair_sends_holds_up_what_it_receives():
    """One worker serves both directions of a pair: acknowledgements wait behind bursts."""
    load = STREAM | {"jobs": 2, "window": 2}
    words = {"platform": SERVER, "pcpus": 8, "vcpus": 2, "physical": {"rate": "100Gbit/s"}}
    slow = catalog.platform(SERVER)
    slow = slow.replace(copy_bandwidth=slow["copy_bandwidth"].scaled(0.25))
    one, two = (
        Ran(net("vhost-net", load, nic={"queues": queues}, numbers=slow, **words), 500)
        for queues in (1, 2)
    )
    assert one.latency > 1.2 * two.latency


@pytest.mark.parametrize("technique", ["emulated-e1000", *PARAVIRTUAL[:2]])
def test_the_hosts_interrupts_of_a_paravirtual_path_are_work_of_the_host(technique):
    ran, system = Ran(net(technique, RR, platform=SERVER), 300), net(technique, RR)
    assert ran.counts["host_interrupts"] == 2 * ran.done or ran.per_request("host_interrupts") > 1.9
    assert any(worker.host for worker in system.workers)


def test_a_segment_that_nobody_cuts_behind_the_guest_costs_a_crossing_a_packet():
    kicked = {}
    for tso in (True, False):
        load = {"kind": "stream", "window": 4}
        ran = Ran(net("virtio-net", load, platform=SERVER, nic={"tso": tso}), 2000)
        kicked[tso] = ran.counts["kicks"] / ran.counts["bytes.out"]
    assert kicked[False] > 10 * kicked[True]  # 46 packets in a burst, some of them in one kick


def test_a_function_that_is_limited_sends_no_faster():
    load = {"kind": "stream", "window": 16}
    ran = Ran(net("sriov", load, platform=SERVER, nic={"vf_bandwidth": "1Gbit/s"}), 500)
    wire = Message(data=65_536).wire_bytes
    assert 8 * wire * ran.done / ran.seconds == pytest.approx(1e9, rel=0.02)


@pytest.mark.parametrize("mode", ["static", "viommu-strict", "viommu-deferred"])
def test_an_iommu_that_the_guest_sees_costs_exits_and_one_it_does_not_see_none(mode):
    ran = Ran(net("passthrough", RR, platform=SERVER, nic={"iommu": mode}), 500)
    seen = ran.per_request("exits.viommu") if "exits.viommu" in ran.counts else 0
    low = {"static": 0, "viommu-strict": 3.9, "viommu-deferred": 2}[mode]
    assert (seen == 0) if mode == "static" else (seen >= low)  # two maps, two unmaps


def test_every_direct_mode_of_an_iommu_runs():
    for technique in matrix.DIRECT:
        for mode in matrix.iommu_modes(technique, "nic"):
            guest = {} if mode != "none" or technique == "native" else None
            if guest is None:
                continue
            compiled, reference = both(
                net(technique, LOADS["server"], nic={"iommu": mode}), requests=100
            )
            assert compiled == reference


def test_a_vcpu_that_does_not_take_the_interrupts_is_told_by_another():
    load = LOADS["server"] | {"jobs": 2}
    for queues, told in ((1, True), (2, False)):
        ran = Ran(net("vhost-net", load, platform=SERVER, vcpus=2, nic={"queues": queues}), 500)
        assert (ran.counts.get("ipis", 0) > 0) is told


def test_numbers_that_a_network_needs_are_on_every_current_platform():
    for name in ("toy", SERVER, "zen1-kvm-guest"):
        assert "net_send" in catalog.platform(name)


@pytest.mark.parametrize("technique", PARAVIRTUAL)
def test_a_process_that_polls_is_not_interrupted_and_its_vcpu_does_not_halt(technique):
    load = RR | {"think": "20us"}
    seen = {}
    for poll in (None, "5us", "100us"):
        built = net(technique, load, platform=SERVER, nic={"busy_poll": poll})
        ran = Ran(built, 500)
        last = ran.run.snapshots[-1]
        counts = dict(zip(built.counters, last.counters, strict=True))
        seen[poll] = (last.time, counts["interrupts"], counts["exits.hlt"])
    assert seen["100us"][1:] == (1, 1)  # the first request finds it asleep
    assert seen[None][1:] == seen["5us"][1:] == (500, 500)  # the next one comes too late
    assert seen["100us"][0] < min(seen[None][0], seen["5us"][0])


@pytest.mark.parametrize("technique", PARAVIRTUAL)
def test_both_engines_and_theory_agree_where_a_process_polls(technique):
    for poll in ("3us", "50us"):
        built = net(technique, RR | {"think": "20us"}, platform=SERVER, nic={"busy_poll": poll})
        compiled, reference = both(built, requests=150)
        assert compiled == reference
        latency, _, _ = laps(built)
        assert latency == round(zero_load(built).latency * LAPS)
