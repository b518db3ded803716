"""docs/memory.md runs: its Python, its commands, its tables."""

import doctest
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from virtperf.cli import app
from virtperf.mechanism.memory import PageSize
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.direct import DirectPaging
from virtperf.mechanism.memory.frames import FramePool
from virtperf.mechanism.memory.guest import Guest
from virtperf.mechanism.memory.nested_paging import NestedPaging
from virtperf.mechanism.memory.paging_counts import PagingCounts
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.shadow import ShadowPaging
from virtperf.mechanism.memory.steps import references, walk_steps
from virtperf.mechanism.memory.tlb_emulation import TlbEmulation
from virtperf.plot import memory_data, paging_data
from virtperf.plot.memory import bytes_in_words, named
from virtperf.validation.given import Given
from virtperf.validation.paging_runs import forked_2003, forked_in_shadow

ROOT = Path(__file__).parents[2]
PATH = ROOT / "docs" / "memory.md"
PAGE = PATH.read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
GIB = 1 << 30


def commands():
    """Return each command of the page with the output that is shown below it."""
    found = {}
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("$ virtperf "):
                found[line.removeprefix("$ virtperf ")] = shown = []
            else:
                shown.append(line)
    return found


def table(*header):
    """Return header and rows of the table whose header begins so."""
    lines = PAGE.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {' | '.join(header)}"))
    rows = []
    for line in [lines[start], *lines[start + 2 :]]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_python_of_the_page_runs_and_prints_what_it_shows():
    test = doctest.DocTestParser().get_doctest(PAGE, {}, PATH.name, str(PATH), 0)
    assert len(test.examples) > 25
    said = []
    failed, _ = doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    assert not failed, "".join(said)


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_page_parses(command):
    parser, arguments = typer.main.get_command(app), shlex.split(command)
    while hasattr(parser, "commands"):
        parser = parser.commands[arguments.pop(0)]
    parser.make_context("virtperf", arguments)


def test_a_command_prints_what_the_page_shows_below_it():
    shown = {command: lines for command, lines in commands().items() if lines}
    assert shown
    for command, lines in shown.items():
        done = CliRunner().invoke(app, shlex.split(command))
        assert done.exit_code == 0, done.output
        assert set(lines) <= set(done.output.splitlines())


def test_walks_have_the_reads_of_the_page():
    _, *rows = table("guest", "native, shadow, direct")
    hosts = (None, *PageSize)
    for guest, *shown in rows:
        reads = [references(walk_steps(PageSize.of(guest), host)) for host in hosts]
        assert [int(one) for one in shown] == reads, guest
    assert len(rows) == len(PageSize)


def test_mean_walks_of_the_page_are_those_of_the_processor():
    warm = {way: walk.reads for way, (_, walk) in memory_data.walks().items()}
    shown = ", ".join(f"{way} {warm[way]:.2f}" for way in ("4K", "4K on 4K", "2M on 2M"))
    assert shown in WORDS


def test_cycles_of_the_page_are_those_of_the_model():
    (_, *sizes), *rows = table("pages", "1 MiB")
    footprints = [1 << 20, 256 << 20, 64 * GIB]
    assert sizes == [bytes_in_words(size) for size in footprints]
    model = memory_data.by_footprint(footprints=footprints)
    assert [row[0] for row in rows] == [named(way) for way in model]
    for (_, *shown), points in zip(rows, model.values(), strict=True):
        assert [float(one) for one in shown] == [
            pytest.approx(cycles, rel=0.02, abs=0.05) for _, cycles in points
        ]


def test_cycles_of_switching_processes_are_those_of_the_model():
    found = memory_data.by_switch_rate(quanta=(100,))
    one = {(way, tags): points[0][1] for (way, tags), points in found.items()}
    says = (
        f"adds {one['4K', True]:.1f} cycles per access with tags, {one['4K', False]:.0f} without, "
        f"and {one['4K on 4K', False]:.0f} without under nested paging"
    )
    assert says in WORDS


TOUCHING = {
    "TLB emulation": lambda: TlbEmulation(PMap(1024)),
    "shadow, a trapped write drops the entry": lambda: ShadowPaging(PMap(1024), on_write="drop"),
    "shadow, a trapped write updates the entry": lambda: ShadowPaging(PMap(1024)),
    "shadow, leaf tables out of sync": lambda: ShadowPaging(PMap(1024), out_of_sync=None),
    "direct": lambda: DirectPaging(PMap(1024), guest="ported"),
    "nested, the frame is new to the host": lambda: NestedPaging(PMap(1024)),
    "nested, the host has it already": lambda: NestedPaging(PMap(1024)),
}


@pytest.mark.parametrize("name", TOUCHING)
def test_a_first_touch_leaves_the_guest_as_often_as_the_page_says(name):
    (row,) = (row for row in table("technique", "true fault") if row[0] == name)
    vm, space, pages = TOUCHING[name](), AddressSpace("A"), 100
    if name.startswith("shadow"):
        vm.pmap.populate(0, 1024)
    guest = Guest(vm, FramePool(1024))
    guest.add_area(space, 0, 2 * pages)
    vm.switch_to(space)
    if name.endswith("already"):
        other = AddressSpace("B")
        guest.add_area(other, 0, 2 * pages)
        vm.switch_to(other)
        for page in range(2 * pages):
            guest.access(other, page, write=True)
        guest.exit(other, successor=space)
    for page in range(pages):  # tables are there, and out of sync if they may be
        guest.access(space, page, write=True)
    before = vm.counts - PagingCounts()
    for page in range(pages, 2 * pages):
        guest.access(space, page, write=True)
    done = vm.counts - before

    stays = name.startswith("nested")
    writes = done.trapped_writes + done.hypercalls
    counts = [0 if stays else done.true_faults, writes, done.hidden_faults, done.violations]
    assert [int(one) * pages for one in row[1:]] == [*counts, sum(counts)]


def test_every_row_of_first_touches_is_tested():
    _, *rows = table("technique", "true fault")
    assert [row[0] for row in rows] == list(TOUCHING)


def test_the_steps_of_a_fork_add_up_to_what_the_model_counts():
    inputs = Given(("images.lat-proc-2003",), {})
    done = forked_in_shadow(inputs)
    rows = [[int(one) for one in row[1:]] for row in table("step", "fault")[1:]]
    reasons = ("page-fault", "pte-write", "hidden-fault", "invlpg", "cr3-load")
    counts = [
        sum(times for (name, why), times in done.items() if why == reason and name != "reflect")
        for reason in reasons
    ]
    assert [sum(column) for column in zip(*rows, strict=True)] == counts
    assert f"That is {sum(counts)} exits" in WORDS
    xen = forked_2003(inputs, "fork")
    requests = xen.hypercall_updates + xen.hypercall_operations
    assert f"{xen.hypercalls} hypercalls with {requests} requests" in WORDS
    assert f"{xen.hypercall_updates} of them updates, and {xen.true_faults} bounced" in WORDS


def test_table_memory_of_the_page_is_what_the_model_says():
    (_, *names), *rows = table("guest that uses all of")
    sizes = [GIB, 64 * GIB, 512 * GIB]
    assert [row[0] for row in rows] == [bytes_in_words(size) for size in sizes]
    model = paging_data.tables(sizes)
    assert names == list(model)
    for number, (_, *shown) in enumerate(rows):
        assert shown == [bytes_in_words(points[number][1]) for points in model.values()]
