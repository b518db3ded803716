"""Shapes of Xen's split network driver that no published number states."""

from dataclasses import replace

import pytest

from virtperf import fast
from virtperf.build import build
from virtperf.tables import System
from virtperf.validation import net_runs
from virtperf.validation.given import Given
from virtperf.validation.published import inputs
from virtperf.validation.xen_net_claims import PACKET, SEGMENT, XEN_NET_CLAIMS, stream, transactions

pytestmark = [pytest.mark.validation, pytest.mark.slow]
FACTS = inputs()


def given(outcome: str, **more: float) -> Given:
    (claim,) = (claim for claim in XEN_NET_CLAIMS if claim.outcome == outcome)
    known = FACTS["dall16.xen_hypercall"]
    facts = FACTS | {name: replace(known, id=name, value=value) for name, value in more.items()}
    return Given((*claim.inputs, *more), facts)


def everything() -> Given:
    kept = (f"{net_runs.SERVER}.{name}" for name in net_runs.KEPT)
    return Given((*FACTS, *kept), FACTS)


def test_a_hypercall_for_nothing_would_not_make_xen_faster_than_kvm():
    """Its fast one of 376 cycles against KVM's 6,500 does not, for there is more on the way."""
    known = given("dall16.rr.xen", none=0.0, slow=6_500.0)
    kvm = net_runs.kvm(everything()).value
    assert transactions(known).value < kvm
    assert transactions(known, "none").value < kvm
    assert transactions(known, "slow").value < transactions(known).value


def test_transitions_alone_do_not_explain_xens_transactions():
    known = everything()
    alone = net_runs.only_crossings(known).value
    assert alone > 1.5 * transactions(known).value


def test_a_segment_of_64_kib_is_46_packets_and_crosses_once():
    known = given("menon06.guest_tso")
    cut, whole = (stream(known, "xen-netfront", "out", size).value for size in (PACKET, SEGMENT))
    assert whole > 3.5 * cut
    assert whole < stream(known, "native", "out", PACKET).value


def test_a_second_cpu_raises_what_a_guest_receives():
    known = given("menon06.rx_gain")
    one, two = (stream(known, "xen-netfront", "in", PACKET, pcpus=n).value for n in (1, 2))
    assert two > 1.3 * one


def busy(technique: str, vms: int) -> float:
    """Return the pCPUs that so many VMs use, which share what a line brings (Dong et al.)."""
    known = everything()
    size = known.count("dong10.size")
    load = {
        "kind": "packets",
        "direction": "in",
        "size": size,
        "rate": known["dong10.offered"] / size / vms,
    }
    nic = {"technique": technique, **({"posted": False} if technique == "sriov" else {})}
    scenario = net_runs.network(
        net_runs.NO_APICV,
        nic,
        load,
        count=vms,
        pcpus=known.count("dong10.pcpus"),
        rate=known["dong10.line"],
        vfs=known.count("dong10.vfs"),
        moderation={"timer": 1e9 / known["dong10.throttle"]},
    )
    if technique == "xen-netfront":
        scenario = scenario.with_all({"host.policy": "credit", "host.dom0": {"vcpus": 8}})
    built = build(scenario)
    last = fast.run(built, seed=1, replication=0, requests=100_000).snapshots[-1]
    return used(built, last) / last.time


def used(built: System, last) -> int:
    return sum(
        ticks
        for row in last.cpu
        for name, ticks in zip(built.accounts, row, strict=True)
        if not name.startswith("idle")
    )


def test_a_vm_more_takes_three_times_the_cpu_behind_dom0_that_a_virtual_function_takes():
    """V10c: the same packets in all; only interrupts, events and wake-ups grow with the VMs."""
    direct, split = (
        (busy(technique, 60) - busy(technique, 10)) / 50 for technique in ("sriov", "xen-netfront")
    )
    assert direct > 0.005
    assert split > 3 * direct
