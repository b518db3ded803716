"""The benchmarks run; how fast is not for a test to say, which shares its machine."""

import pytest
from tests.benchmark import lean_walks, systems, translation
from tests.benchmark.__main__ import main
from tests.benchmark.measure import Figure, interleaved, spread
from virtperf.mechanism.memory import Hardware, nested
from virtperf.mechanism.memory.geometry import INTEL

pytestmark = pytest.mark.benchmark


@pytest.mark.slow
def test_a_quick_run_prints_every_figure(capsys):
    assert main(["--quick"]) == 0
    printed = capsys.readouterr().out
    for says in (
        "calibration loop",
        "over textbook",
        "slices",
        "TLBs of two levels over OrderedDicts, Zipf",
        "nested walks, 4K on 4K",
        "features off",
        "fast over textbook",
        "peak memory",
        "all sizes in one pass over 4 sizes",
        "ten sizes in one pass over 2 sizes",
        "first use",
        "a warm process",
        "--help",
        "independent over common random numbers",
        "over its runs alone",
        "from its store",
        "summary of a store",
    ):
        assert says in printed


def test_pairs_are_taken_in_turns():
    turns = []
    pairs = interleaved(2, lambda: turns.append("a") or 1.0, lambda: turns.append("b") or 2.0)
    assert turns == ["a", "b", "a", "b"]
    assert pairs == [(1.0, 2.0)] * 2


def test_a_figure_says_whether_its_target_is_met():
    figure = Figure(name="ratio", unit="x", **spread([0.3, 0.5, 0.7]), target="0.6", met=False)
    assert str(figure) == "ratio: 0.5 x [0.3 .. 0.7], target 0.6: MISSED"


def test_both_systems_are_the_textbooks():
    for system in (systems.full(), systems.bare()):
        assert (system.pool.pcpus, len(system.sources)) == (4, 4)
        assert [source.outstanding for source in system.sources] == [32] * 4
        assert system.stations[0].servers == 32


def test_the_lean_nested_walk_is_the_hardware():
    """Pages near, and far apart: prefixes of every level hit and miss."""
    pages = [n * n * 7919 % (1 << 20) if n % 3 else n for n in range(3000)]
    hardware, context = Hardware(translation.TLB, INTEL), nested()
    met = [hardware.access(page << 12, context) for page in pages]
    missed = [sum(one.level > level for one in met) for level in range(2)]
    reads = (sum(one.guest for one in met), sum(one.host for one in met))
    assert lean_walks.nested_walks(pages, *translation.CACHES) == (*missed, *reads)
