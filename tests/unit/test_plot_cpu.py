import matplotlib

matplotlib.use("Agg")

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt

from virtperf import catalog, plot
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.plot import cpu_data, cpu_map, translator_data
from virtperf.plot.cpu_data import SHADOWED
from virtperf.technique.cpu.price import Price, price

TOY, P4, X86 = (catalog.platform(name) for name in ("toy", "p4-vmware-2006", "x86-kvm-2020"))
LOOP, SERVER = catalog.workload("syscall-loop"), catalog.workload("web-server")


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def words(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def with_numbers(numbers, **values):
    new = {k: replace(numbers[k], value=v, low=None, high=None) for k, v in values.items()}
    return numbers.replace(**new)


def test_slowdown_is_a_ratio_of_two_times_that_can_be_added_up_by_hand():
    """A thousand calls of 1 us and 48 us of code natively; in a trap technique 6 us more each."""
    found = cpu_data.slowdowns(TOY, LOOP, ["hardware", "trap-emulate"])

    assert price(TOY, LOOP, "direct").ns == pytest.approx(1_048_000)
    assert found["hardware"].value == 1
    assert found["trap-emulate"].value == pytest.approx((1_048 + 1_000 * (2 + 4)) / 1_048)


def test_a_band_holds_its_value_and_is_where_both_sets_stand_at_an_end():
    one = cpu_data.slowdowns(X86, SERVER, ["binary-translation"])["binary-translation"]

    assert one.low <= one.value <= one.high
    assert one.low < one.high


@pytest.mark.parametrize("platform", [TOY, P4, X86], ids=lambda one: one.name)
@pytest.mark.parametrize("workload", catalog.names("workloads"))
def test_every_account_has_a_cause_and_no_time_is_lost(platform, workload):
    prices, _ = cpu_data.priced(platform, catalog.workload(workload))
    for one in prices.values():
        assert sum(cpu_data.by_cause(one).values()) == pytest.approx(one.ns)
    assert len(cpu_data.CAUSES) <= 8


def test_an_account_without_a_cause_is_refused():
    with pytest.raises(ParameterError, match="of a known cause"):
        cpu_data.by_cause(Price(accounts={"vcpu: magic": 1.0}, counts={}))


def test_reasons_come_most_first_per_second_of_the_guest_under_the_technique():
    one = Price(accounts={"vcpu: guest user": 2e9}, counts={"exits.io": 10, "callouts.cpuid": 40})

    rates = cpu_data.by_reason(one)

    assert [(rate.label, rate.per_s) for rate in rates] == [("cpuid (callout)", 20), ("io", 5)]
    assert cpu_data.exits_per_s(one) == 5  # a callout stays in the monitor's address space


def test_what_a_platform_has_no_numbers_for_is_left_out_with_the_reason():
    prices, lacks = cpu_data.priced(P4, LOOP)

    assert list(prices) == ["direct", "trap-emulate", "binary-translation", SHADOWED]
    assert "interpreter_expansion" in lacks["interpreter"]
    with pytest.raises(UnknownNameError, match="did you mean hardware"):
        cpu_data.priced(P4, LOOP, ["hardwere"])


def test_a_machine_before_nested_paging_is_not_given_it():
    assert "hardware" not in cpu_data.ways(P4)
    assert {"hardware", SHADOWED} <= set(cpu_data.ways(X86))


def test_every_technique_of_a_slowdown_is_in_the_legend_and_every_workload_on_the_axis():
    ax = plot.slowdown(X86, [LOOP, SERVER])

    assert legend(ax) == sorted(
        set(cpu_data.ways(X86)) - {"direct"}, key=list(plot.cpu.STYLES).index
    )
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["syscall-loop", "web-server"]
    assert ax.get_xlabel() == "slowdown: time of a unit of work, bare machine = 1"
    assert ax.get_xscale() == "log"
    assert "3.75" in words(ax)  # binary translation, of syscall-loop


def test_a_bar_is_as_long_as_its_slowdown_unless_it_is_cut_and_says_so():
    prices, _ = cpu_data.priced(X86, SERVER)
    ax = plot.time_by_cause(prices, cut=8.0)

    ends = {}
    for patch in ax.patches:
        row = round(patch.get_y() + patch.get_height() / 2)
        ends[row] = max(ends.get(row, 0.0), patch.get_x() + patch.get_width())
    bare = prices["direct"].ns
    assert list(ends.values()) == pytest.approx([min(8, one.ns / bare) for one in prices.values()])
    assert "24.2" in words(ax)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == list(prices)
    assert ax.get_xlabel() == "time of a unit of work, bare machine = 1"


def test_causes_need_the_bare_machine_to_be_measured_by():
    with pytest.raises(ParameterError, match="with a price of direct"):
        plot.time_by_cause({"hardware": price(X86, LOOP, "hardware")})


def test_exits_are_drawn_for_each_technique_or_said_to_be_none():
    prices, _ = cpu_data.priced(X86, catalog.workload("fork-storm"))
    ax = plot.exits_by_reason(prices, most=4)

    assert ax.get_xlabel() == "stops per second of the guest's run [1/s]"
    assert ax.get_xscale() == "log"
    assert set(prices) - {"direct"} <= set(words(ax))
    ticks = [tick.get_text() for tick in ax.get_yticklabels()]
    assert "none" in ticks  # hardware with nested paging
    assert "4 others" in ticks  # trap-emulate has seven reasons


def test_binary_translation_wins_with_many_page_table_writes_and_vt_x_with_many_calls():
    """Adams and Agesen's crossover: a write takes two exits, a call one trip into the monitor."""
    found = cpu_map.winner_table(P4, LOOP, "pte_write")

    assert found.per_event == 2
    assert found.winner(exits=10_000, share=0.02) == "binary-translation"
    assert found.winner(exits=10, share=0.5) == SHADOWED
    assert 5 <= found.calls_per_event("binary-translation", SHADOWED) <= 7


def test_longer_system_calls_have_more_look_ups_and_move_the_crossover():
    long = cpu_map.winner_table(P4, SERVER, "pte_write")
    assert long.calls_per_event("binary-translation", SHADOWED) == pytest.approx(2.2, abs=0.05)


def test_nested_paging_ends_the_argument_about_page_tables_but_not_about_ports():
    writes = cpu_map.winner_table(X86, SERVER, "pte_write")
    ports = cpu_map.winner_table(X86, SERVER, "port_read")

    assert {list(writes.times)[i] for i in np.unique(writes.winners)} == {"hardware"}
    assert ports.winner(exits=5_000, share=0.1) == "binary-translation"
    assert ports.winner(exits=1, share=0.5) == "hardware"


@pytest.mark.parametrize("name", cpu_map.CONTENDERS)
@pytest.mark.parametrize("operation", ["pte_write", "port_read", "msr_write"])
def test_a_plane_is_the_price_of_the_synthetic_workload(name, operation):
    found = cpu_map.winner_table(X86, SERVER, operation, exits=[300.0], shares=[0.3])
    events = 300.0 / found.per_event
    work = cpu_map.synthetic(X86, SERVER, operation, events, 0.3)

    direct = price(X86, work, *cpu_data.way(name)).ns
    assert found.times[name][0, 0] == pytest.approx(direct, rel=1e-9)
    assert found.planes[name].ns(events, 0.3) == pytest.approx(direct, rel=1e-9)


def test_a_synthetic_workload_is_a_millisecond_of_code_with_the_calls_of_its_base():
    work = cpu_map.synthetic(TOY, LOOP, "pte_write", 7.0, 0.5)

    code = work["instructions"].value * work["cycles_per_instruction"].value  # ns: 1 GHz
    assert code == pytest.approx(1e6)
    per_call = work["instructions"].value * 0.5 / work["syscalls"].value
    assert per_call == pytest.approx(60_000 * 0.66 / 1_000)
    assert work["pte_writes"].value == 7


def test_at_a_crossover_two_techniques_take_the_same_time():
    found = cpu_map.winner_table(P4, SERVER)
    exits = found.crossover("binary-translation", SHADOWED, 0.5)
    a, b = (found.planes[name] for name in ("binary-translation", SHADOWED))
    events = exits / found.per_event
    assert a.ns(events, 0.5) == pytest.approx(b.ns(events, 0.5), rel=1e-12)
    assert found.crossover("binary-translation", "binary-translation", 0.5) is None


def test_the_footprint_of_a_warm_code_cache_moves_no_line():
    small, large = (cpu_map.winner_table(P4, SERVER, footprint=size) for size in (1e3, 1e6))
    assert (small.winners == large.winners).all()


def test_an_operation_without_exits_or_a_base_without_calls_makes_no_map():
    with pytest.raises(ParameterError, match="one that exits"):
        cpu_map.winner_table(X86, SERVER, "syscall")
    with pytest.raises(UnknownNameError, match="did you mean pte_write"):
        cpu_map.winner_table(X86, SERVER, "pte_writes")
    with pytest.raises(ParameterError, match="a workload with system calls"):
        cpu_map.winner_table(X86, catalog.workload("compute-bound"))


@pytest.mark.parametrize(
    ("platform", "regions"),
    [
        (P4, {"hardware,\nshadow paging", "binary\ntranslation"}),
        (X86, {"hardware,\nshadow paging", "binary\ntranslation", "paravirtual"}),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_each_region_of_a_winner_map_is_named_and_axes_have_units(platform, regions):
    ax = plot.winner_map(platform)

    assert set(words(ax)) == regions
    assert "[1/ms]" in ax.get_xlabel()
    assert ax.get_ylabel() == "share of kernel work in the guest's code"
    assert len(ax.get_figure().axes) == 2


def test_a_dynamic_translator_pays_for_what_is_met_and_a_static_one_for_the_image():
    """Toy: 1 us an instruction; syscall-loop runs 400 of 2,000,000."""
    dynamic, static, interpreter = (
        translator_data.warm_up_of(TOY, LOOP, name) for name in ("dbt", "static", "interpreter")
    )
    assert (dynamic.start, static.start, interpreter.start) == (400e3, 2e9, 0)
    assert dynamic.met == pytest.approx(400 / 60_000)
    half = dynamic.met / 2
    assert dynamic.slowdown(half) == pytest.approx((200e3 / half + dynamic.unit) / dynamic.bare)
    assert dynamic.slowdown(10) == pytest.approx((40e3 + dynamic.unit) / dynamic.bare)


def test_with_all_executed_and_all_foreseen_static_and_dynamic_meet():
    """An eighth of the blocks end indirectly: the translator's loop takes whole numbers."""
    platform = with_numbers(X86, unforeseen_targets=0.0)
    work = with_numbers(SERVER, indirect_share=0.125)
    dynamic = translator_data.warm_up_of(platform, work, "dbt", executed=1.0)
    static = translator_data.warm_up_of(platform, work, "static")

    assert dynamic.start == pytest.approx(static.start)
    assert dynamic.slowdown(1e12) == pytest.approx(static.slowdown(1e12), rel=1e-6)


def test_what_pays_more_at_the_start_is_level_after_its_break_even():
    dynamic, interpreter = (
        translator_data.warm_up_of(X86, SERVER, name) for name in ("dbt", "interpreter")
    )
    units = translator_data.break_even(dynamic, interpreter)

    assert units == pytest.approx(115.37, abs=0.01)
    assert dynamic.slowdown(units) == pytest.approx(interpreter.slowdown(units))
    assert translator_data.break_even(interpreter, dynamic) is None


def test_static_overtakes_a_dynamic_translator_that_thrashes():
    database = catalog.workload("database")
    dynamic, static = (translator_data.warm_up_of(TOY, database, n) for n in ("dbt", "static"))
    units = translator_data.break_even(static, dynamic)

    assert static.slowdown(units) == pytest.approx(dynamic.slowdown(units))
    assert static.slowdown(2 * units) < dynamic.slowdown(2 * units)


def test_a_break_even_within_new_code_is_where_the_lines_cross():
    late = translator_data.WarmUp(technique="dbt", bare=1, unit=10, start=100, met=10)
    early = translator_data.WarmUp(technique="static", bare=1, unit=9, start=22)

    units = translator_data.break_even(early, late)
    assert units == 2
    assert early.slowdown(units) == late.slowdown(units)


def test_a_loop_a_block_larger_than_the_cache_is_translated_anew_at_each_visit():
    assert translator_data.retranslations(40, 40) == 0
    assert translator_data.retranslations(41, 40) == 1
    assert translator_data.retranslations(41, 40, visits=4) == 0.25
    assert translator_data.retranslations(1, 1) == 0
    with pytest.raises(ParameterError, match=r"retranslations\.room must be at least 1"):
        translator_data.retranslations(1, 0)


def test_warm_up_has_a_line_per_emulator_and_share_with_units_and_crossings():
    ax = plot.warm_up(X86, SERVER)

    assert legend(ax)[:2] == ["interpreter", "static"]
    assert [name.split(",")[0] for name in legend(ax)[2:]] == ["dbt"] * 3
    assert ax.get_xlabel() == "length of the run on the bare machine [s]"
    assert any("dynamic beats the interpreter\nfrom 3.9 ms on" in says for says in words(ax))
    assert "never overtakes" in ax.get_title(loc="left")


def test_thrash_draws_what_was_counted():
    table = {1: [(0.5, 0.0), (1.5, 1.0)], 3: [(0.5, 0.0), (1.5, 1 / 3)]}
    ax = plot.thrash(table)

    assert list(ax.lines[1].get_ydata()) == [0.0, 1 / 3]
    assert words(ax) == ["each block once a pass", "each block 3 times a pass"]
    with pytest.raises(ParameterError, match="at least one line"):
        plot.thrash({})


def test_an_emulator_and_a_share_are_checked():
    with pytest.raises(ParameterError, match="one of interpreter, dbt, static"):
        translator_data.warm_up_of(X86, SERVER, "hardware")
    with pytest.raises(ParameterError, match="executed must be in"):
        translator_data.warm_up_of(X86, SERVER, "dbt", executed=0.0)
    with pytest.raises(ParameterError, match="at least one"):
        plot.slowdown(X86, [])


def test_drawing_into_given_axes_makes_no_figure_of_its_own():
    prices, _ = cpu_data.priced(X86, LOOP)
    for draw in (plot.time_by_cause, plot.exits_by_reason):
        _, ax = plt.subplots()
        assert draw(prices, ax=ax) is ax
    _, ax = plt.subplots()
    assert plot.warm_up(X86, LOOP, ax=ax) is ax
    assert len(plt.get_fignums()) == 3


def test_a_share_near_the_workloads_own_is_not_drawn_beside_it():
    ax = plot.warm_up(X86, catalog.workload("kernel-build"))  # 15 % are executed

    assert [name[:10] for name in legend(ax)[2:]] == ["dbt, 15 % ", "dbt, 100 %"]
