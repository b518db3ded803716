"""CPU techniques without a clock: what each makes of an operation, and of a workload's unit."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from virtperf import catalog
from virtperf.build import build, memory_of
from virtperf.errors import ParameterError, ScenarioError, UnknownNameError
from virtperf.experiment import compare, simulate
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.tlb_emulation import TlbEmulation
from virtperf.params import ParameterSet, Quantity
from virtperf.path import Choice, Step, Transition, end
from virtperf.result.exits import exits
from virtperf.scenario import Scenario
from virtperf.technique import matrix
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import cpu_technique
from virtperf.technique.cpu.binary_translation import PTE_WRITE, RESTORE, SAVE, SEQUENCES
from virtperf.technique.cpu.operations import OPERATIONS
from virtperf.technique.cpu.paravirtual import MASK
from virtperf.technique.cpu.price import price
from virtperf.technique.cpu.sequence import count
from virtperf.technique.cpu.translation import rates
from virtperf.technique.cpu.workload import Workload, once, unit
from virtperf.technique.memory import memory_technique
from virtperf.technique.memory.shadow import FILL, UPDATE, WALK
from virtperf.theory import zero_load
from virtperf.units import TICKS_PER_NS

TOY, SERVER = catalog.platform("toy"), catalog.platform("x86-kvm-2020")
TECHNIQUES = matrix.cpu_techniques()


def steps(operation: str, cpu: str, memory: str | None = None, platform=TOY) -> list[Step]:
    costs = Costs(platform)
    answers = memory_technique(memory or matrix.default_memory(cpu), costs)
    return once(OPERATIONS[operation], cpu_technique(cpu, costs), answers)


def ns(operation: str, cpu: str, memory: str | None = None, platform=TOY) -> float:
    return sum(step.cost.mean for step in steps(operation, cpu, memory, platform))


def counts(operation: str, cpu: str, memory: str | None = None, platform=TOY) -> dict[str, int]:
    return {s.counts: s.times for s in steps(operation, cpu, memory, platform) if s.counts}


def mix(**numbers: float) -> ParameterSet:
    """Return a workload of these numbers; the rest is a small program that does nothing else."""
    base = {
        **dict(instructions=1000, kernel_share=0.5, cycles_per_instruction=1, memory_share=0.5),
        **dict(block=10, indirect_share=0.1, footprint=1000, image=5000),
    }
    quantities = {
        key: Quantity(value=value, unit="1", source="a test", evidence="assumed", checked="own")
        for key, value in (base | numbers).items()
    }
    return ParameterSet("mix", quantities)


def work_scenario(cpu="hardware", workload="syscall-loop", platform="toy", **vm) -> dict:
    load = {"kind": "work", "workload": workload}
    return {
        "platform": platform,
        "vm": [{"name": "a", "cpu": {"technique": cpu}, "load": load} | vm],
    }


# -- operations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cpu", TECHNIQUES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_technique_answers_every_operation_with_work_on_the_vcpu(cpu, operation):
    for step in steps(operation, cpu):
        assert step.kind == "work"
        assert step.where == "vcpu"
        assert step.cost.mean >= 0


OWN = [name for name in OPERATIONS if name != "first_touch"]


def machine(operation, platform=TOY):
    """Return what an operation takes the bare machine."""
    return 0.0 if OPERATIONS[operation].free else platform.ns(f"native_{operation}")


@pytest.mark.parametrize("operation", OWN)
def test_direct_execution_costs_what_the_machine_takes(operation):
    assert ns(operation, "direct") == machine(operation)


@pytest.mark.parametrize("platform", [TOY, SERVER], ids=lambda platform: platform.name)
@pytest.mark.parametrize("cpu", ["hardware", "nested-hardware"])
@pytest.mark.parametrize("operation", OWN)
def test_hardware_assistance_is_never_quicker_than_the_machine(operation, cpu, platform):
    assert ns(operation, cpu, platform=platform) >= machine(operation, platform)


@pytest.mark.parametrize("operation", ["syscall", "exception", "return", "cr8_write", "rdtsc"])
def test_hardware_lets_a_guest_do_what_needs_no_exit(operation):
    assert ns(operation, "hardware") == ns(operation, "direct")
    assert counts(operation, "hardware") == {}


def test_an_exit_is_priced_by_how_far_it_travels():
    kernel, user = ns("cpuid", "hardware"), ns("port_read", "hardware")
    assert kernel == TOY.ns("exit_hardware") + TOY.ns("exit_kernel")
    assert user == kernel + TOY.ns("exit_user")


def test_an_interrupt_that_waits_for_the_guest_needs_a_window_where_none_is_posted():
    posted, forced = (
        TOY.replace(apicv=Quantity(**{**_fields(TOY["apicv"]), "value": value})) for value in (1, 0)
    )
    assert counts("masked_interrupt", "hardware", platform=posted) == {}
    assert counts("masked_interrupt", "hardware", platform=forced) == {"exits.interrupt-window": 1}
    assert counts("masked_interrupt", "nested-hardware", platform=forced) == {
        "exits.interrupt-window": 1,
        "exits.of-the-hypervisor-between": TOY["nested_exits"].value,
    }
    assert counts("masked_interrupt", "paravirtual") == {"hypercalls.force_callback": 1}
    for cpu in ("trap-emulate", "binary-translation", "dbt", "static", "interpreter", "direct"):
        assert ns("masked_interrupt", cpu) == 0


def test_popf_is_the_hole_of_trap_and_emulate_and_of_nothing_else():
    assert counts("popf", "trap-emulate") == {"violations.popf": 1}
    assert ns("popf", "trap-emulate") == TOY.ns("native_popf")  # nobody notices
    for cpu in TECHNIQUES:
        if cpu != "trap-emulate":
            assert not any(name.startswith("violations") for name in counts("popf", cpu))


def test_a_system_call_of_a_64_bit_paravirtual_kernel_goes_through_the_hypervisor():
    wide, bits = TOY, TOY["guest_bits"]
    narrow = TOY.replace(guest_bits=Quantity(**{**_fields(bits), "value": 32}))
    bounced = TOY.ns("trap_reflect") + 2 * TOY.ns("native_cr3_load")
    native = ns("syscall", "direct")
    assert ns("syscall", "paravirtual", platform=narrow) == native
    assert ns("syscall", "paravirtual", platform=wide) == native + bounced


def _fields(quantity: Quantity) -> dict:
    return {key: getattr(quantity, key) for key in Quantity.__dataclass_fields__}


def test_an_exit_of_a_nested_guest_is_as_many_as_its_hypervisor_needs():
    one = ns("cpuid", "hardware")
    assert ns("cpuid", "nested-hardware") == pytest.approx(one * (1 + TOY["nested_exits"].value))
    bare = TOY.replace(vmcs_shadowing=Quantity(**{**_fields(TOY["vmcs_shadowing"]), "value": 0}))
    more = ns("cpuid", "nested-hardware", platform=bare) - ns("cpuid", "nested-hardware")
    assert more == pytest.approx(one * TOY["nested_vmcs_accesses"].value)


def test_a_listing_is_counted_by_instructions_operands_and_look_ups():
    listing = """
        mov rax, [rbx + 8]   ; two
        look_up a page       ; a search
        ; only a comment
        lock inc [rcx]       ; two
        ret                  ; two, with the stack
    """
    assert count(listing) == (6, 1)


# -- composition --------------------------------------------------------------------------------


def test_the_same_shadow_costs_what_the_cpu_technique_makes_of_it():
    found = {
        cpu: (ns("pte_write", cpu, "shadow", SERVER), counts("pte_write", cpu, "shadow"))
        for cpu in ("trap-emulate", "binary-translation", "hardware")
    }
    assert found["hardware"][1] == {"exits.pte-write": 2}  # stepped over, and looked at
    assert found["trap-emulate"][1] == {"exits.pte-write": 1}
    assert found["binary-translation"][1] == {}  # adapted: done in place
    assert len({time for time, _ in found.values()}) == 3


def test_no_memory_or_io_module_names_a_cpu_technique():
    folder = Path(catalog.__file__).parent / "technique"
    names = set(TECHNIQUES) - {"direct", "static"}  # also of page tables, and of maps of an IOMMU
    modules = {name.replace("-", "_") for name in TECHNIQUES} | {"emulation"}
    for path in [*(folder / "memory").glob("*.py"), *(folder / "io").glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant):
                assert node.value not in names, path
            if isinstance(node, ast.ImportFrom) and "technique.cpu" in (node.module or ""):
                assert (node.module or "").rpartition(".")[2] not in modules, path


def test_a_transition_that_a_technique_does_not_know_apart_is_an_exit():
    costs = Costs(TOY)
    for cpu in TECHNIQUES[1:]:
        made = cpu_technique(cpu, costs).expand(
            Transition(name="exit", reason="page-fault"), "vcpu"
        )
        assert sum(step.cost.mean for step in made) > 0


# -- units of work ------------------------------------------------------------------------------


def test_a_unit_is_its_code_and_its_operations():
    found = price(TOY, mix(syscalls=3, cpuids=2), "hardware")
    assert found.ns == pytest.approx(
        1000 + 3 * ns("syscall", "direct") + 2 * ns("cpuid", "hardware")
    )
    assert found.counts == {"exits.cpuid": 2}


def test_what_is_left_of_a_number_happens_by_chance():
    costs = Costs(TOY, mix(cpuids=2.25))
    path = unit(
        Workload(costs), cpu_technique("hardware", costs), memory_technique("nested", costs)
    )
    (choice,) = (part for part in path if isinstance(part, Choice))
    assert [weight for weight, _ in choice.branches] == pytest.approx([0.25, 0.75])
    assert path[-1] == end()
    assert price(TOY, mix(cpuids=2.25), "hardware").counts["exits.cpuid"] == pytest.approx(2.25)


@pytest.mark.parametrize("cpu", TECHNIQUES)
def test_engine_theory_and_price_agree_on_a_unit(cpu):
    scenario = Scenario.from_dict(work_scenario()).with_("vm.cpu", cpu)
    system = build(scenario)
    foretold = price(TOY, catalog.workload("syscall-loop"), cpu)
    assert zero_load(system).latency / TICKS_PER_NS == pytest.approx(foretold.ns, rel=1e-6)
    result = simulate(scenario, requests=400, replications=2, band=False)
    mean, _ = result.value(result.labels[0], "latency.mean")
    assert mean == pytest.approx(foretold.ns, rel=1e-6)


def test_counters_of_a_run_are_those_of_the_price():
    scenario = Scenario.from_dict(work_scenario("trap-emulate", "fork-storm"))
    result = simulate(scenario, requests=400, replications=2, band=False)
    foretold = price(TOY, catalog.workload("fork-storm"), "trap-emulate").counts
    violated, _ = result.value(result.labels[0], "violations_per_request.popf")
    assert violated == foretold["violations.popf"] == 60


def test_a_code_cache_that_is_too_small_by_a_little_is_filled_again_and_again():
    costs = Costs(TOY, mix())
    code = Workload(costs).code()
    assert rates(code, costs).translated == 0
    room = TOY["code_buffer"].value * 2**20 / 20  # instructions of 4 bytes that become 20
    big = Workload(Costs(TOY, mix(footprint=1.01 * room, image=2 * room))).code()
    assert rates(big, costs).translated == pytest.approx(10)  # the whole of each block


def test_what_is_translated_before_the_start():
    dynamic, static = (price(TOY, mix(), cpu) for cpu in ("dbt", "static"))
    each = TOY.ns("translate_instruction")
    assert (dynamic.start, static.start) == (1000 * each, 5000 * each)
    assert (dynamic.memory, static.memory) == (1000 * 20, 5000 * 20)


# -- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"syscalls": -1}, "workload.syscalls must be at least 0, got -1"),
        ({"kernel_share": 1.5}, r"workload.kernel_share must be in \[0, 1\], got 1.5"),
        ({"instructions": -5}, "workload.instructions must be at least 0, got -5"),
    ],
)
def test_an_impossible_mix_is_refused(numbers, says):
    with pytest.raises(ParameterError, match=says):
        price(TOY, mix(**numbers), "direct")


def test_a_mix_that_lacks_a_number_is_refused():
    short = ParameterSet("short", {k: v for k, v in mix().items() if k != "block"})
    with pytest.raises(UnknownNameError, match="block"):
        price(TOY, short, "direct")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cpu": {"technique": "paravirtual"}}, "an unmodified guest makes no hypercalls"),
        (
            {"cpu": {"technique": "paravirtual", "isa": "x86-64", "ring": 1}, "guest": "ported"},
            "vm[0].cpu.ring must be 3, since",
        ),
        (
            {"cpu": {"technique": "hardware", "isa": "x86-64", "ring": 3}},
            "vm[0].cpu.ring must be left out: under hardware a guest's kernel keeps its privilege",
        ),
        ({"cpu": {"technique": "hardware", "isa": "x86-128"}}, "vm[0].cpu.isa must be one of"),
        ({"memory": {"technique": "direct"}}, "page tables by hypercall"),
        ({"disk": {"technique": "virtio", "device": "d"}}, "vm[0].disk must be left out where"),
        (
            {"load": {"kind": "work", "workload": "sycsall-loop"}},
            "did you mean syscall-loop?",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_words(change, says):
    data = work_scenario()
    data["vm"][0] |= change
    with pytest.raises(ScenarioError) as refused:
        Scenario.from_dict(data)
    assert says in str(refused.value)


def test_a_platform_without_the_numbers_says_which():
    with pytest.raises(UnknownNameError, match="parameter of zen1-kvm-guest named"):
        build(Scenario.from_dict(work_scenario(platform="zen1-kvm-guest")))


def test_comparing_techniques_takes_guest_and_memory_along():
    scenario = Scenario.from_dict(work_scenario())
    moved = scenario.with_("vm.cpu", "paravirtual")
    assert moved.vm[0].guest == "ported"
    assert memory_of(moved.vm[0], Costs(TOY)) == "direct"
    assert moved.with_("vm.cpu", "dbt").vm[0].guest == "unmodified"


# -- several vCPUs, and what an exit may cost besides -------------------------------------------


def test_an_interrupt_to_another_vcpu_is_time_of_that_one():
    """Two CPUs at work overlap: who sends pays for sending, and goes on."""
    alone = work_scenario("hardware", "web-server")
    pair = work_scenario("hardware", "web-server", vcpus=2)
    one, two = (
        simulate(Scenario.from_dict(data | {"host": {"pcpus": 2}}), requests=4_000, replications=2)
        for data in (alone, pair)
    )
    sent = catalog.workload("web-server")["ipis"].value
    assert two.value(two.labels[0], "side_paths_per_request.ipi")[0] == pytest.approx(
        sent, abs=0.05
    )
    assert two.value(two.labels[0], "ipis_per_request")[0] <= sent + 0.05
    (base, _), (beside, _) = (r.value(r.labels[0], "latency.mean") for r in (one, two))
    assert beside == pytest.approx(base, rel=0.05)  # the other vCPU is free to take it
    kernel = [
        float(r.cpu[r.cpu["account"] == "vcpu: guest kernel"]["ns"].sum()) for r in (one, two)
    ]
    assert kernel[1] - kernel[0] == pytest.approx(sent * TOY.ns("native_exception"), rel=0.3)


def test_what_mitigations_add_is_added_to_every_exit():
    more = Quantity(value=18, unit="cycles", source="a test", evidence="assumed", checked="own")
    plain = price(SERVER, mix(cpuids=1000), "hardware")
    guarded = price(SERVER.replace(exit_mitigations=more), mix(cpuids=1000), "hardware")
    cycles = (guarded.ns - plain.ns) * SERVER["frequency"].base / 1e9
    assert cycles == pytest.approx(1000 * 18)


def test_a_machine_without_nested_paging_has_shadow_tables():
    old = Costs(catalog.platform("p4-vmware-2006"))
    moved = Scenario.from_dict(work_scenario("hardware", platform="p4-vmware-2006"))
    assert memory_of(moved.vm[0], old) == "shadow"
    assert memory_of(moved.vm[0], Costs(SERVER)) == "nested"


def test_a_comparison_says_what_translation_takes_and_what_is_not_seen():
    scenario = Scenario.from_dict(work_scenario())
    result = compare(
        scenario, {"vm.cpu": ["dbt", "trap-emulate"]}, requests=400, replications=2, band=False
    )
    notes = " ".join(result.notes)
    assert "vm.cpu=dbt: syscall-loop translated takes" in notes
    assert "x86-64 is not classically virtualizable" in notes


def test_exits_are_listed_as_perf_kvm_stat_lists_them():
    scenario = Scenario.from_dict(work_scenario("trap-emulate", "fork-storm"))
    result = simulate(scenario, requests=400, replications=2, band=False)
    table = exits(result)
    foretold = price(TOY, catalog.workload("fork-storm"), "trap-emulate")
    expected = {n.removeprefix("exits."): c for n, c in foretold.counts.items() if "exits." in n}
    per_unit = dict(zip(table["VM-EXIT"], table["exits/s"] * foretold.ns / 1e9, strict=True))
    for reason, number in expected.items():
        assert per_unit[reason] == pytest.approx(number, rel=1e-3)
    assert table["exits/s"].is_monotonic_decreasing
    assert table["Samples%"].sum() == pytest.approx(100)
    assert table["Time%"].sum() == pytest.approx(100)
    assert table["Avg time [ns]"].iloc[0] == pytest.approx(TOY.ns("trap"))


def test_updates_of_a_lazy_region_enter_the_hypervisor_as_often_as_the_queue_is_full():
    """31 of 16 bytes fit into a queue: 120 of one region are four hypercalls."""
    entry = TOY.ns("hypercall") - TOY.ns("pt_update")
    for region, calls in ((1, 120), (8, 15), (120, 4)):
        paid = price(TOY, mix(pte_writes=120, updates_per_region=region), "paravirtual")
        spent = paid.accounts["vcpu: hypercall mmu_update"]
        assert spent == pytest.approx(120 * TOY.ns("pt_update") + calls * entry)


def test_a_64_bit_kernel_that_lost_its_privilege_changes_page_tables_at_each_system_call():
    narrow = TOY.replace(guest_bits=Quantity(**{**_fields(TOY["guest_bits"]), "value": 32}))
    more = ns("syscall", "trap-emulate") - ns("syscall", "trap-emulate", platform=narrow)
    assert more == 2 * TOY.ns("native_cr3_load")
    assert ns("syscall", "hardware", platform=narrow) == ns("syscall", "hardware")


def test_floating_point_expands_as_its_own_class():
    def translated(share: float) -> float:
        found = price(TOY, mix(float_share=share), "dbt").accounts
        return found["vcpu: translated code"]

    whole, float_ = (TOY[f"translated_{name}"].value for name in ("expansion", "float_expansion"))
    assert translated(1) / translated(0) == pytest.approx(float_ / whole)
    assert translated(0.5) == pytest.approx((translated(0) + translated(1)) / 2)
    with pytest.raises(ParameterError, match="float_share"):
        price(TOY, mix(float_share=1.5), "dbt")


# -- listings -----------------------------------------------------------------------------------

OF_THE_VCPU = {"if", "pending", "iopl", "cpl", "cr3", "monitor_stack", "stale"}
"""What the virtual CPU has in memory however a listing came to be executed."""


@pytest.mark.parametrize(
    "listing",
    [*SEQUENCES.values(), PTE_WRITE + UPDATE, SAVE + WALK + RESTORE, FILL, MASK],
    ids=[*SEQUENCES, "pte_write", "walk", "fill", "mask"],
)
def test_a_listing_reads_nothing_of_the_virtual_cpu_that_it_has_not_stored(listing):
    stored, reads = set(OF_THE_VCPU), []
    for line in listing.splitlines():
        instruction = line.split(";")[0].strip()
        target, _, rest = instruction.partition(",")
        if target.startswith(("push", "cmp", "test")):
            rest += target
        reads += [one for one in re.findall(r"\[vcpu\.(\w+)\]", rest) if one not in stored]
        stored |= set(re.findall(r"^(?:mov|pop|add|and)\s+\[vcpu\.(\w+)\]", target))
    assert reads == []


def test_tlb_emulation_fills_its_table_anew_in_each_turn():
    """The exits of a load of CR3 are those that the mechanism counts for a turn of such pages."""
    costs = Costs(catalog.platform("x86-kvm-2020"), catalog.workload("web-server"))
    memory, pages = memory_technique("tlb-emulation", costs), costs.count("turn_pages")
    named = Counter(
        (part.name, part.reason)
        for part in memory.address_space()
        if isinstance(part, Transition) and part.name != "kernel"
    )
    vm, space = TlbEmulation(PMap(1024)), AddressSpace("process")
    vm.map(space, page=0, frame=0, count=pages)
    vm.switch_to(space)
    before = Counter(vm.transitions())
    vm.switch_to(space)
    vm.sweep(space, 0, pages)
    assert named == Counter(vm.transitions()) - before
    assert [part.reason for part in memory.pte_write()] == ["pte_write"]  # nobody watches
