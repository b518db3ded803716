"""Building networks: who takes which interrupt, what is shared, what is counted."""

import pytest

from tests.nets import NICS, RR, SERVER, data, net
from virtperf import simulate
from virtperf.build import sources
from virtperf.scenario import Scenario
from virtperf.tables import Rule

STREAM = {"kind": "stream"}


def workers(built, role: str) -> list[str]:
    return [worker.name for worker in built.workers if worker.role == role]


def bell(built, name: str):
    return next(row for row in built.bells if row.name.endswith(f".{name}"))


def test_each_queue_pair_has_a_worker_and_a_queue_of_the_hosts_nic():
    built = net("vhost-net", STREAM | {"jobs": 4}, vcpus=4, physical={"cpus": [2, 3]})
    assert workers(built, "vhost worker") == [f"guest[0].vhost-worker{n}" for n in range(4)]
    assert workers(built, "host interrupts") == ["pcpu2.interrupts", "pcpu3.interrupts"]


def test_vms_share_the_hosts_interrupt_work_and_the_line_but_no_worker():
    built = net("vhost-net", count=3, physical={"cpus": [0]})
    assert len(workers(built, "host interrupts")) == 1
    assert len(workers(built, "vhost worker")) == 3
    assert [row.name for row in built.stations if row.name.startswith("eth0")] == [
        "eth0.out",
        "eth0.in",
        "eth0.dma",
    ]


@pytest.mark.parametrize("technique", ["native", "passthrough", "sriov", "vhost-user-net"])
def test_the_host_has_no_part_in_a_nic_that_is_given_away(technique):
    assert not workers(net(technique), "host interrupts")


def test_a_virtual_function_has_as_many_queues_as_the_nic_gives_it():
    built = net("sriov", STREAM | {"jobs": 4}, vcpus=4, physical={"vf_queues": 2})
    assert sum(row.name.endswith(".RX ring") for row in built.stations) == 2


def test_moderation_is_of_the_interrupts_of_the_nic_not_of_those_of_a_worker():
    timer = {"moderation": {"timer": "20us", "count": 8}}
    built = net("vhost-net", physical=timer)
    of_nic, of_worker = bell(built, "nic irq"), bell(built, "irq")
    assert (of_nic.rule, of_nic.timer, of_nic.count) == (Rule.MODERATED, 20_000_000, 8)
    assert of_worker.rule == Rule.EVENT_INDEX
    assert bell(net("native", physical=timer), "irq").rule == Rule.MODERATED


@pytest.mark.parametrize(
    ("load", "per_second"),
    [
        ({"kind": "packets", "direction": "in", "rate": 320_000}, 6000),
        ({"kind": "packets", "direction": "in", "rate": 1000}, 1000),
        (RR | {"think": "1ms", "outstanding": 80}, 80_000 * 1.2 / 64),
    ],
)
def test_adaptive_moderation_is_decided_from_the_offered_load(load, per_second):
    """Closed loads offer what their pauses let them: their frames' time is not in it."""
    irq = bell(net("native", load, physical={"adaptive": {}}), "irq")
    assert irq.timer == pytest.approx(1e12 / per_second, rel=0.001)


@pytest.mark.parametrize("technique", NICS)
def test_all_numbers_have_sources(technique):
    used = sources(Scenario.from_dict(data(technique)))
    assert {"net_send", "net_receive", "dma_read"} <= used.keys()
    assert all(quantity.source for quantity in used.values())
    bridged = ("emulated-e1000", "virtio-net", "vhost-net", "xen-netfront")
    assert ("host_forward" in used) == (technique in bridged)


def test_results_tell_packets_goodput_and_kicks():
    """A segment of 64 KiB is 46 packets, and is acknowledged by one."""
    scenario = Scenario.from_dict(data("vhost-net", STREAM, platform=SERVER), name="one")
    result = simulate(scenario, requests=4000, replications=2, band=False)
    (label,) = result.labels
    found = {m: result.value(label, m)[0] for m in ("throughput", "packets.out", "goodput.out")}
    assert found["packets.out"] == pytest.approx(46 * found["throughput"], rel=0.02)
    assert found["goodput.out"] == pytest.approx(65_536 * 8 * found["throughput"], rel=0.02)
    assert result.value(label, "packets.in")[0] == pytest.approx(found["throughput"], rel=0.02)
    assert 0 < result.value(label, "kicks_per_request")[0] <= 1.01
