"""Memory that is short, in time: who gets how much, what a fault takes, and what is refused."""

from dataclasses import replace

import pytest

from virtperf import catalog
from virtperf.build import build, memory_use
from virtperf.build.site import Site
from virtperf.errors import ParameterError, ScenarioError
from virtperf.experiment import simulate
from virtperf.params import ParameterSet
from virtperf.scenario import Scenario
from virtperf.theory import zero_load
from virtperf.units import TICKS_PER_NS

MIB = 2**20


def fixed(time):
    return {"kind": "deterministic", "value": time}


def scenario(**changes):
    """Return one store alone on its host, with disks that take a fixed time."""
    short = Scenario.load("memory-overcommit").with_all(
        {
            "vm.count": 1,
            "device.host-nvme.service": fixed("90us"),
            "device.guest-nvme.service": fixed("70us"),
            "vm.load.think": "100us",
        }
    )
    return short.with_all(changes)


def use(given):
    return {quantity: value for _, quantity, value, _ in memory_use(given)}


def mean_ns(given):
    """Return theory's latency of one unit on an idle system, in ns."""
    return sum(zero_load(build(given)).breakdown.values()) / TICKS_PER_NS


def test_guests_that_want_as_much_share_alike():
    seen = use(scenario(**{"vm.count": 3, "host.memory": "576MiB"}))

    assert seen["memory of a process, as its host has it"] == 192 * MIB


def test_a_guest_with_less_memory_wants_less_of_the_host():
    """Two want 256 and 128 MiB of 192: two thirds of each."""
    short = scenario(**{"host.memory": "192MiB"}).to_dict()
    other = {**short["vm"][0], "name": "small"}
    other["memory"] = {**other["memory"], "size": "128MiB"}
    two = Scenario.from_dict({**short, "vm": [short["vm"][0], other]})

    got = {
        vm: value for vm, what, value, _ in memory_use(two) if what.endswith("as its host has it")
    }
    assert got == {"store": 128 * MIB, "small": 64 * MIB}


def test_a_balloon_makes_the_hosts_shortage_the_guests():
    seen = use(scenario(**{"host.memory": "192MiB", "host.reclaim": "balloon"}))

    assert seen["memory of a process, as its guest has it"] == 192 * MIB
    assert "pages read by the host" not in seen


def test_memory_that_suffices_adds_nothing():
    enough = scenario(**{"host.memory": "256MiB"})

    assert build(enough) == build(enough.with_("host.memory", "1GiB"))
    assert not any("read by" in name for name in use(enough))


def test_a_fault_of_the_host_costs_an_exit_the_hosts_work_and_its_disk():
    """By hand: each page read is one violation, one handler, one stay at the disk, one wake-up."""
    short = scenario(**{"host.memory": "192MiB"})
    reads = use(short)["pages read by the host"]
    numbers = Site(short, catalog.platform(short.platform)).costs
    exit_ = ("exit_hardware", "exit_mitigations", "exit_kernel")
    handler = ("host_fault", "host_submit", "host_complete", "thread_wake_cpu")
    each = sum(map(numbers.ns, (*exit_, *handler))) + 90_000

    added = mean_ns(short) - mean_ns(scenario(**{"host.memory": "256MiB"}))
    assert added == pytest.approx(reads * each, rel=1e-6)


def test_a_fault_of_the_guest_costs_its_kernel_and_its_disk_and_no_violation():
    short = scenario(**{"vm.memory.size": "192MiB"})
    numbers = Site(short, catalog.platform(short.platform)).costs
    own = ("native_page_fault", "native_pte_write", "native_tlb_flush", "native_kernel")
    each = sum(map(numbers.ns, own)) + 70_000

    seen = use(short)
    reads = seen["pages read by the guest (major faults)"]
    added = mean_ns(short) - mean_ns(scenario(**{"host.memory": "256MiB"}))
    told = added / reads - each  # its interrupt finds a vCPU that sleeps: a wake-up, and HLT
    assert told == pytest.approx(numbers.ns("thread_wake_delay") + halted(numbers), rel=1e-3)
    assert "EPT violations" not in seen


def halted(numbers):
    parts = ("exit_hardware", "exit_mitigations", "exit_kernel", "exit_blocking")
    return sum(map(numbers.ns, parts))


def test_a_guest_that_pages_on_a_host_that_pages_waits_for_two_disks():
    both = scenario(**{"vm.memory.size": "192MiB", "host.memory": "128MiB"})
    seen = use(both)

    assert seen["pages paged twice"] == seen["pages written by the guest"] > 0
    assert seen["pages read by the host"] > seen["pages read by the guest (major faults)"]


@pytest.mark.parametrize("reclaim", ["swap", "balloon"])
def test_both_engines_page_alike(reclaim):
    short = scenario(**{"vm.count": 3, "host.memory": "576MiB", "host.reclaim": reclaim})
    both = [
        simulate(short, requests=300, replications=1, band=False, engine=engine)
        for engine in ("sim", "fast")
    ]

    assert both[0].data["value"].equals(both[1].data["value"])


@pytest.mark.parametrize("memory", ["shadow", "tlb-emulation"])
def test_tables_of_the_hypervisor_lose_the_entry_with_the_page(memory):
    short = scenario(**{"host.memory": "192MiB", "vm.memory": memory})
    seen = use(short)

    assert seen["hidden faults"] == seen["pages read by the host"]
    counters = zero_load(build(short)).counters
    assert counters["exits.hidden-fault"] == pytest.approx(seen["hidden faults"])


def test_a_process_under_no_hypervisor_pages_by_itself():
    native = scenario(**{"host.memory": "192MiB", "vm.cpu": "direct", "vm.memory": "native"})

    assert use(native)["memory of a process, as its guest has it"] == 192 * MIB


def test_large_pages_of_the_host_are_given_512_at_a_time():
    small, large = (
        use(Scenario.load("heap-growth").with_("vm.memory.host_page", size))["EPT violations"]
        for size in ("4KiB", "2MiB")
    )
    assert small == 512 * large == 100


def test_tags_may_be_turned_off_but_not_on():
    tagged = Scenario.load("table-lookup").with_("vm.count", 2)
    means = []
    for on in (True, False):
        result = simulate(tagged.with_("vm.memory.tags", on), requests=400, band=False)
        means.append(result.value(result.labels[0], "latency.mean")[0])
    assert means[0] < means[1]

    old = catalog.platform("x86-kvm-2020")
    none = old.replace(vpid=replace(old["vpid"], value=0.0))
    with pytest.raises(ParameterError, match=r"table.memory.tags must be left out or false"):
        build(tagged.with_("vm.memory.tags", True), none)


REFUSED = [
    ({"host.memory": "192MiB", "vm.memory.host_page": "2MiB"}, "host_page must be 4KiB where"),
    ({"vm.memory.size": "192MiB", "vm.memory.guest_page": "2MiB"}, "guest_page must be 4KiB"),
    ({"host.memory": "16KiB"}, "the 6 pages"),
]


@pytest.mark.parametrize(("changes", "says"), REFUSED)
def test_a_shortage_that_cannot_be_is_refused(changes, says):
    with pytest.raises(ParameterError, match=says):
        build(scenario(**changes))


def without(given, *address):
    """Return a scenario that lacks a field."""
    data = given.to_dict()
    table = data
    for key in address[:-1]:
        table = table[key][0] if isinstance(table[key], list | tuple) else table[key]
    del table[address[-1]]
    return Scenario.from_dict(data)


def test_a_shortage_without_a_disk_is_refused():
    with pytest.raises(ParameterError, match=r"host.swap must be given: the guests want more"):
        build(without(scenario(**{"host.memory": "192MiB"}), "host", "swap"))
    with pytest.raises(ParameterError, match=r"store.memory.swap must be given: .* 192 MiB"):
        build(without(scenario(**{"vm.memory.size": "192MiB"}), "vm", "memory", "swap"))


def test_a_host_cannot_page_out_what_direct_tables_name():
    ported = scenario(
        **{
            "host.memory": "192MiB",
            "vm.guest": "ported",
            "vm.cpu": "paravirtual",
            "vm.memory": "direct",
        }
    )
    with pytest.raises(ParameterError, match=r"host.reclaim must be balloon for direct tables"):
        build(ported)
    build(ported.with_("host.reclaim", "balloon"))


def test_a_swap_device_that_is_none_is_refused_with_the_nearest():
    data = scenario().to_dict()
    data["host"]["swap"] = "host-nmve"
    data["vm"][0]["memory"]["swap"] = "tape"
    with pytest.raises(ScenarioError) as refused:
        Scenario.from_dict(data)

    says = str(refused.value)
    assert "host.swap must be one of" in says
    assert "did you mean host-nvme?" in says
    assert "vm[0].memory.swap must be one of" in says


def test_another_cpu_technique_leaves_a_guest_the_memory_it_has():
    short = scenario(**{"vm.memory.size": "128MiB"})
    moved = short.with_("vm.cpu", "binary-translation")

    assert moved.vm[0].memory.technique is None
    assert (moved.vm[0].memory.size, moved.vm[0].memory.swap) == (128 * MIB, "guest-nvme")
    assert use(moved)["memory of a process, as its guest has it"] == 128 * MIB


def test_memory_may_be_short_without_a_technique_being_named():
    short = scenario(**{"vm.memory.size": "128MiB"})
    table = short.to_dict()
    del table["vm"][0]["memory"]["technique"]

    assert build(Scenario.from_dict(table, name=short.name)) == build(short)


def test_memory_of_a_workload_without_data_is_refused():
    with pytest.raises(ParameterError, match=r"store\.memory\.size must be left out: heap-growth"):
        build(scenario(**{"vm.load.workload": "heap-growth"}))


@pytest.mark.parametrize(
    "field, reclaim, named",
    [
        ("vm.memory.size", "swap", "store.memory.size"),
        ("host.memory", "swap", "host.memory"),
        ("host.memory", "balloon", "host.memory"),
    ],
)
def test_less_memory_than_an_instruction_needs_is_refused_under_its_own_name(field, reclaim, named):
    with pytest.raises(ParameterError, match=f"^{named} must be enough that a process has the 6"):
        build(scenario(**{field: "12KiB", "host.reclaim": reclaim}))


@pytest.mark.parametrize(
    "field, value, says",
    [
        ("write_share", 1.5, r"write_share must be in \[0, 1\]"),
        ("write_share", -0.5, r"write_share must be in \[0, 1\]"),
        ("write_share", None, "write_share must be given where memory is short"),
        ("skew", 400, "skew must be from 0 to 20"),
        ("skew", -1, "skew must be from 0 to 20"),
        ("page_visits", 0, "page_visits must be above 0"),
        ("page_visits", None, "page_visits must be given where data_footprint is"),
        ("data_footprint", 0, "data_footprint must be at least 64 B"),
    ],
)
@pytest.mark.parametrize("cpu", ["hardware", "dbt"])
def test_a_number_of_the_data_that_cannot_be_is_refused_by_its_name(
    field, value, says, cpu, monkeypatch
):
    """Also where no hardware walks, and nothing else would look at it."""
    shipped = catalog.workload("key-value")
    numbers = {key: quantity for key, quantity in shipped.items() if key != field}
    if value is not None:
        numbers[field] = replace(shipped[field], value=value, low=None, high=None)
    changed = ParameterSet("key-value", numbers)
    monkeypatch.setattr(catalog, "workload", lambda _: changed)

    with pytest.raises(ParameterError, match=f"workload.{says}"):
        build(scenario(**{"host.memory": "192MiB"}).with_("vm.cpu", cpu))


def test_each_page_that_a_unit_waits_for_has_a_time_of_its_own(monkeypatch):
    """The sum of n exponential times varies by 1 / sqrt(n) of itself, not by 1 as one n times."""
    shipped = catalog.workload("key-value")
    many = {
        **shipped,
        "page_visits": replace(shipped["page_visits"], value=400, low=None, high=None),
    }
    monkeypatch.setattr(catalog, "workload", lambda _: ParameterSet("key-value", many))
    disk = {"device.host-nvme.service": {"kind": "exponential", "mean": "90us"}}
    short = scenario(**disk, **{"host.memory": "192MiB"})
    run = simulate(short, requests=2_000, replications=2, band=False)
    p50, p95 = (run.value(run.labels[0], f"latency.{name}")[0] for name in ("p50", "p95"))

    reads = use(short)["pages read by the host"]
    assert reads > 10
    spread = 1 + 1.645 / reads**0.5  # of the 95th of a hundred, were the sum normal
    assert p95 / p50 == pytest.approx(spread, rel=0.1)  # skewed, and with the CPU's time; one: 4.3
