"""Direct access: nothing leaves the guest on the way out; all its costs at 0 it is the machine."""

from dataclasses import replace
from typing import Any

import pytest

from tests.laws.test_metamorphic import costless
from tests.laws.test_sim_is_theory import assert_equal_to_theory
from tests.systems import scaled, system
from virtperf import catalog
from virtperf.build import build
from virtperf.params import ParameterSet
from virtperf.scenario import Scenario
from virtperf.sim import run
from virtperf.tables import System
from virtperf.technique import matrix
from virtperf.theory import zero_load

pytestmark = pytest.mark.laws
NOISY = {"kind": "exponential", "mean": "20us"}
PLATFORMS = ("toy", "x86-kvm-2020", "zen1-kvm-guest")
EACH = [(disk, mode) for disk in matrix.DIRECT for mode in matrix.iommu_modes(disk)]
LEGAL = [(disk, mode) for disk, mode in EACH if mode != "none" or disk == "native"]


def scenario(disk: str, mode: str | None = None, **words: Any) -> Scenario:
    """Return a VM with a device of its own, on a pCPU for each of its vCPUs."""
    path = {"technique": disk, "device": "ssd0"} | words.pop("options", {})
    if mode is not None:
        path["iommu"] = mode
    vm: dict[str, Any] = {
        "name": "web",
        "vcpus": words.pop("vcpus", 1),
        "cpu": {"technique": matrix.default_cpu(disk)},
        "disk": path,
        "load": words.pop("load", {"kind": "closed", "outstanding": words.pop("outstanding", 1)}),
    } | words.pop("vm", {})
    device = {"channels": 8, "vfs": 8, "service": words.pop("service", NOISY)}
    device |= words.pop("device", {})
    data = {"platform": words.pop("platform", "toy"), "host": {"pcpus": 4} | words}
    return Scenario.from_dict(data | {"vm": [vm], "device": {"ssd0": device}}, name=disk)


def direct(disk: str, mode: str | None = None, **words: Any) -> System:
    """Return that scenario, built on its platform or on `numbers`."""
    numbers: ParameterSet | None = words.pop("numbers", None)
    return build(scenario(disk, mode, **words), numbers)


def counted(built: System, requests: int = 500) -> dict[str, int]:
    """Return all counters of a run."""
    totals = run(built, seed=1, replication=0, requests=requests).snapshots[-1].counters
    return dict(zip(built.counters, totals, strict=True))


@pytest.mark.parametrize("posted", [True, False])
@pytest.mark.parametrize("outstanding", [1, 32])
@pytest.mark.parametrize(("disk", "mode"), LEGAL)
def test_direct_access_that_costs_nothing_is_native(disk, mode, outstanding, posted):
    numbers = costless("x86-kvm-2020")
    words = {"numbers": numbers, "outstanding": outstanding, "platform": "x86-kvm-2020"}
    given = {} if disk == "native" else {"options": {"posted": posted}}
    path, native = (
        run(one, seed=1, replication=0, requests=1000)
        for one in (direct(disk, mode, **given, **words), direct("native", **words))
    )
    assert path.snapshots[-1].time == native.snapshots[-1].time
    assert (path.ends, path.sums) == (native.ends, native.sums)
    assert path.in_flight == native.in_flight


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("disk", "mode"), LEGAL)
def test_a_lone_request_takes_what_theory_says(disk, mode, platform):
    """The share of a deferred flush is a mean in theory, and comes by chance in a run."""
    if mode.endswith("deferred"):
        pytest.skip("chance decides which request flushes")
    service = {"kind": "deterministic", "value": "20us"}
    assert_equal_to_theory(direct(disk, mode, platform=platform, service=service))


@pytest.mark.parametrize("disk", matrix.GIVEN)
def test_a_static_map_has_no_exit_on_the_way_out_whatever_the_load(disk):
    """Interrupts may force a vCPU out, and an idle one halts; nothing else leaves the guest."""
    for outstanding in (1, 8, 64):
        for posted in (True, False):
            words = {"outstanding": outstanding, "options": {"posted": posted}, "vcpus": 2}
            exits = {name for name, n in counted(direct(disk, **words)).items() if n}
            assert {name for name in exits if name.startswith("exits.")} <= {
                "exits.hlt",
                *(() if posted else ("exits.interrupt",)),
            }


def test_a_posted_interrupt_exits_only_where_the_vcpu_does_not_run():
    """At depth 1 the vCPU sleeps through each request; with work at hand it never leaves."""
    lone = counted(direct("passthrough"))
    assert abs(lone["exits.hlt"] - lone["interrupts"]) <= 1
    busy = counted(direct("passthrough", outstanding=64, service=NOISY | {"mean": "5us"}))
    assert busy["interrupts"] >= 500
    assert busy["exits.hlt"] <= 1


def test_an_interrupt_that_is_not_posted_exits_where_the_vcpu_runs():
    posted, forced = (
        counted(direct("passthrough", outstanding=64, options={"posted": p})) for p in (True, False)
    )
    assert "exits.interrupt" not in posted
    assert 0 < forced["exits.interrupt"] <= forced["interrupts"]


@pytest.mark.parametrize("apicv", [0.0, 1.0])
def test_a_guest_is_left_once_for_an_interrupt(apicv):
    """Without posting: one exit for the host's interrupt, and one to end it without APICv."""
    numbers = catalog.platform("toy")
    numbers = numbers.replace(apicv=replace(numbers["apicv"], value=apicv))
    built = direct("passthrough", outstanding=64, options={"posted": False}, numbers=numbers)
    seen = counted(built, 2000)
    others = {name for name in seen if name.startswith("exits.")}

    assert others <= {"exits.hlt", "exits.interrupt", "exits.eoi"}
    assert ("exits.eoi" in seen) == (apicv == 0.0)
    assert seen["exits.interrupt"] <= seen["interrupts"]
    told = [s for bell in built.bells for s in built.steps[slice(*bell.debt[3])]]
    assert sum(1 for step in told if step.counter != -1) == 1


def test_a_sleeping_vcpu_pays_for_the_hosts_wake_up_interrupt():
    """Toy: 1 us for the short interrupt, or 1 us for the handler of one that is not posted."""
    service = {"kind": "deterministic", "value": "20us"}
    for posted, account in ((True, "wake-up interrupt"), (False, "interrupt of a device")):
        built = direct("passthrough", options={"posted": posted}, service=service)
        assert zero_load(built).breakdown[f"host: {account}"] == 1e6


def test_a_vcpu_without_a_pcpu_finds_its_interrupt_when_it_comes_back():
    """Two vCPUs that compute and do I/O, one pCPU: no exit, though many interrupts find it away."""
    words = {"vcpus": 2, "pcpus": 1, "load": {"kind": "closed", "outstanding": 8, "jobs": 2}}
    seen = counted(direct("passthrough", **words), 2000)
    assert seen["interrupts"] > 0
    assert {name for name, n in seen.items() if n and name.startswith("exits.")} <= {"exits.hlt"}


def test_functions_share_the_channels_and_the_link():
    """N functions of one device finish what one alone does, once the device is the limit."""
    service = {"kind": "deterministic", "value": "50us"}
    rates = []
    for vms in (2, 4, 8):
        built = system("sriov", vms=vms, outstanding=32, pcpus=8, channels=2, service=service)
        rates.append(2000 / run(built, seed=1, replication=0, requests=2000).snapshots[-1].time)
    assert rates == pytest.approx([2 / 50e6] * 3, rel=0.02)  # to the ends of the run: 256 of 2000


def test_a_function_may_be_limited_and_then_its_limit_is_its_rate():
    words = {"outstanding": 16, "options": {"vf_bandwidth": 40_960_000}}  # 10,000 times 4 KiB
    built = direct("sriov", **words)
    rate = 2000 / run(built, seed=1, replication=0, requests=2000).snapshots[-1].time * 1e12
    assert rate == pytest.approx(10_000, rel=0.01)


@pytest.mark.parametrize(("disk", "mode"), [c for c in LEGAL if c[1].startswith("viommu")])
def test_a_map_in_an_emulated_iommu_is_an_exit_and_an_unmap_another(disk, mode):
    seen = counted(direct(disk, mode, outstanding=4), 2000)
    once = 1 if mode == "viommu-strict" else 0
    exits = seen["exits.viommu"] - seen["dma_maps"]
    assert exits == pytest.approx(once * seen["dma_unmaps"], abs=0.02 * seen["dma_unmaps"])


def test_deferred_flushes_are_one_in_so_many_unmaps():
    """Two queues of 255 fill sooner than the timer goes off: a flush for 510 unmaps on average."""
    words = {"vcpus": 2, "load": {"kind": "closed", "outstanding": 16, "jobs": 2}}
    built = direct("native", "deferred", service=NOISY | {"mean": "1us"}, **words)
    last = run(built, seed=1, replication=0, requests=40_000).snapshots[-1]
    station = [s.name for s in built.stations].index("iommu invalidations")
    flushes = last.busy[station] / (1000 * scaled("toy", {}).ns("iotlb_invalidation"))

    assert flushes == pytest.approx(40_000 / 510, rel=0.35)  # 78 by chance: 3 sigma are 34 %


def test_strict_invalidation_is_one_server_for_all_cpus():
    """V14: however many CPUs and devices, its rate is that of the IOMMU's queue."""
    numbers = scaled("toy", {name: 0.01 for name in ("native_user", "native_kernel", "iommu_map")})
    rates = []
    for vcpus in (8, 16):
        words = {"vcpus": vcpus, "load": {"kind": "closed", "outstanding": 4, "jobs": vcpus}}
        words |= {"pcpus": vcpus, "service": NOISY | {"mean": "1us"}, "numbers": numbers}
        built = direct("native", "strict", **words)
        done = run(built, seed=1, replication=0, requests=4000).snapshots[-1]
        rates.append(4000 / done.time * 1e12)
    ceiling = 1e9 / scaled("toy", {}).ns("iotlb_invalidation")
    assert rates == pytest.approx([ceiling] * 2, rel=0.03)  # the start of the run has none
