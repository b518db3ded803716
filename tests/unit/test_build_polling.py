"""A scenario whose halts are polled for: what is saved, what is burnt, and what stays as it was."""

from typing import Any

import pytest

from tests.engines import both
from tests.systems import booked, latency, scaled, scenario
from virtperf import catalog
from virtperf.build import build
from virtperf.experiment import observe
from virtperf.scenario import Scenario
from virtperf.sim import run
from virtperf.tables import System
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.hardware import Hardware
from virtperf.units import TICKS_PER_NS

HOST = {"halt_poll": {"max": "200us"}}
GUEST = {"guest_poll": {"max": "200us"}}
REQUESTS = 60


def waiting(halts: dict[str, Any] | None = None, **words: Any) -> Scenario:
    """Return a VM whose requests take the device 30 us, under an I/O thread that does not poll."""
    given = {"service": {"kind": "deterministic", "value": "30us"}, "poll": "0us", "halts": halts}
    return scenario("virtio", **(given | words))


def observed(built: System) -> dict[str, float | None]:
    one = run(built, seed=1, replication=0, requests=REQUESTS)
    cut = observe.Cut(requests=20, rule="by hand")
    return {name: value for name, value, _ in observe.metrics(observe.window(built, one, cut))}


@pytest.mark.parametrize("halts", [HOST, GUEST])
@pytest.mark.parametrize("vms", [1, 6])
def test_both_engines_say_the_same(halts, vms):
    compiled, reference = both(build(waiting(halts, vms=vms, pcpus=2, outstanding=2)))
    assert compiled == reference


@pytest.mark.parametrize("halts", [HOST, GUEST])
def test_polling_trades_cpu_for_latency(halts):
    asleep, polled = (build(waiting(words)) for words in (None, halts))
    runs = [run(one, seed=1, replication=0, requests=REQUESTS) for one in (asleep, polled)]
    assert latency(runs[1]) < latency(runs[0])
    before, after = observed(asleep), observed(polled)
    assert after["cpu_per_request.vcpu"] > before["cpu_per_request.vcpu"]


def test_a_host_that_has_seen_the_wake_up_pays_an_exit_to_its_kernel_only():
    """The halt before the first request, and those before the window has grown, block."""
    costs = Hardware(Costs(catalog.platform("toy"), catalog.devices()))
    built = build(waiting(HOST))
    one = run(built, seed=1, replication=0, requests=REQUESTS)
    counted = dict(zip(built.counters, one.snapshots[-1].counters, strict=True))
    hits = counted["halt_polls.hit"]
    blocked = counted["exits.hlt"] - hits
    spent = hits * costs.exit_ns("kernel") + blocked * costs.exit_ns("blocking")

    assert hits > blocked > counted["halt_polls.miss"] > 0
    assert booked(one, built)["vcpu: exit hlt"] == spent * TICKS_PER_NS


def test_a_guest_that_has_seen_its_interrupt_has_not_exited():
    """Without posted interrupts the device forces it out all the same, for it is in the guest."""
    found = observed(build(waiting(GUEST), scaled("toy", {"apicv": 0})))
    assert found["guest_polls_per_request.hit"] == 1
    assert found["exits_per_request.hlt"] == 0
    assert found["exits_per_request.interrupt"] == 1


def test_a_guest_that_polls_is_sent_no_interrupt_by_its_other_vcpus():
    """The only queue's vCPU tells the other one, which has started the request."""
    load = {"kind": "closed", "jobs": 2, "outstanding": 1}
    told = {}
    long = {"guest_poll": {"max": "200us", "start": "200us"}}
    for name, halts in (("asleep", None), ("polls", long)):
        two = waiting(halts, load=load).with_all({"vm.vcpus": 2, "vm.disk.queues": 1})
        told[name] = observed(build(two))["exits_per_request.ipi"]
    assert told == {"asleep": 0.5, "polls": 0}


def test_hits_and_misses_are_metrics():
    found = observed(build(waiting(HOST)))
    assert found["halt_polls_per_request.hit"] == 1
    assert found["halt_polls_per_request.miss"] == 0
