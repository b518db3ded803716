"""Xen's split network driver: what crosses, how often, and on whose CPU."""

import pytest

from virtperf import fast, sim
from virtperf.build import build
from virtperf.errors import ScenarioError
from virtperf.scenario import Scenario
from virtperf.theory import zero_load

WORDS = {"seed": 1, "replication": 0}
RR = {"kind": "rr"}
OUT, IN = ({"kind": "stream", "direction": way} for way in ("out", "in"))
MAPPED = {"kind": "packets", "direction": "out", "size": 1400}
SMALL = {"kind": "packets", "direction": "out", "size": 18}


def netfront(load, *, dom0=2, pcpus=4, count=1, platform="x86-kvm-2020", ported=False, **nic):
    vm = {
        "name": "guest",
        "count": count,
        "guest": "ported" if ported else "unmodified",
        "cpu": {"technique": "paravirtual" if ported else "hardware"},
        "nic": {"technique": "xen-netfront", "device": "eth", **nic},
        "load": load,
    }
    host = {"pcpus": pcpus, "policy": "credit", "dom0": {"vcpus": dom0}}
    nics = {"eth": {"rate": "10Gbit/s"}}
    return Scenario.from_dict({"platform": platform, "host": host, "vm": [vm], "nic": nics})


def counted(given, requests=2_000):
    built = build(given)
    last = fast.run(built, **WORDS, requests=requests).snapshots[-1]
    counters = dict(zip(built.counters, last.counters, strict=True))
    return {name: count / requests for name, count in counters.items()}


def rate(given, requests=6_000):
    run = fast.run(build(given), **WORDS, requests=requests)
    ends = run.ends[len(run.ends) // 4 :]
    return (len(ends) - 1) * run.batch / (ends[-1] - ends[0]) * 1e12


@pytest.mark.parametrize(
    "load", [RR, OUT, IN, MAPPED, SMALL], ids=["rr", "out", "in", "mapped", "small"]
)
@pytest.mark.parametrize("pcpus", [1, 4])
def test_both_engines_agree(load, pcpus):
    built = build(netfront(load, pcpus=pcpus, count=2, ported=True))
    a, b = (engine.run(built, **WORDS, requests=1_200) for engine in (sim, fast))
    assert (a.ends, a.sums, a.in_flight) == (b.ends, b.sums, b.in_flight)
    assert a.snapshots[-1].counters == b.snapshots[-1].counters
    assert a.snapshots[-1].cpu == b.snapshots[-1].cpu


def test_a_small_packet_is_copied_and_a_large_one_mapped_and_unmapped_with_a_flush():
    """A packet alone in a call: one to copy or map it; a large one is unmapped in another."""
    one = {"outstanding": 1}
    small, large = (counted(netfront(load | one)) for load in (SMALL, MAPPED))
    assert small["dom0-hypercalls.grant_table_op"] == pytest.approx(1, abs=0.01)
    assert large["dom0-hypercalls.grant_table_op"] == pytest.approx(2, abs=0.01)


def test_one_call_copies_what_a_batch_of_packets_needs():
    load = {"kind": "packets", "direction": "in", "rate": "300000/s"}
    calls = counted(netfront(load, dom0=1))["dom0-hypercalls.grant_table_op"]
    assert 1 / 64 <= calls < 0.5


def test_a_segment_crosses_once_for_all_its_packets():
    whole, cut = (netfront(OUT, dom0=1, pcpus=1, ported=True, tso=tso) for tso in (True, False))
    per_segment, per_packet = counted(whole), counted(cut)
    assert per_segment["packets.out"] > 40 * per_packet["packets.out"]
    assert per_segment["interrupts"] < 3
    assert rate(whole) * 65_536 > 2 * rate(cut) * 1_448


def test_a_flip_costs_more_than_a_copy_of_a_packet_and_less_than_one_of_a_page():
    """Toy: a flip takes 1 us and the guest 1 us, a copy 1 us and 0.15 us for 1.5 kB of data."""
    load = {"kind": "packets", "direction": "in", "size": 1400, "outstanding": 1}
    cost = {}
    for receive in ("copy", "flip"):
        given = netfront(load, platform="toy", receive=receive)
        cost[receive] = zero_load(build(given)).latency
    assert cost["flip"] > cost["copy"]


def test_a_second_cpu_raises_what_a_guest_and_dom0_receive():
    one, two = (rate(netfront(IN, dom0=1, pcpus=n, gro=False)) for n in (1, 2))
    assert two > 1.3 * one


def test_dom0_saturates_whatever_the_number_of_guests():
    one, many = (rate(netfront(IN, dom0=1, pcpus=12, count=n, gro=False)) for n in (2, 8))
    wide = rate(netfront(IN, dom0=4, pcpus=12, count=8, gro=False))
    assert many < 1.15 * one
    assert wide > 1.5 * many


@pytest.mark.parametrize(
    ("nic", "says"),
    [
        ({"ring": 512}, r"nic\.ring must be left out under xen-netfront"),
        ({"technique": "vhost-net", "receive": "flip"}, r"nic\.receive must be left out unless"),
        ({"poll": "10us"}, r"nic\.poll must be left out unless"),
    ],
)
def test_what_netfront_does_not_have_is_refused(nic, says):
    with pytest.raises(ScenarioError, match=says):
        netfront(RR, **nic)


def test_the_shipped_scenario_loses_packets_with_more_guests_than_dom0_can_serve():
    """Each guest is sent 60,000 packets a second; Dom0's one vCPU takes 3.5 us or so for each."""
    given = Scenario.load("xen-net")
    four, eight = (rate(given.with_("vm.count", count), 20_000) for count in (4, 8))
    assert four == pytest.approx(4 * 60_000, rel=0.05)
    assert eight < 0.8 * 8 * 60_000
