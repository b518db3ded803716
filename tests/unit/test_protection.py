"""Who reaches what, told for paths and for scenarios, in Python and on the command line."""

import subprocess
import sys

import pytest

from virtperf import Scenario, simulate
from virtperf.build.protection import protected, says
from virtperf.errors import UnknownNameError
from virtperf.experiment import compare
from virtperf.report import tables
from virtperf.technique import matrix
from virtperf.technique.io.features import FEATURES, feature, guards
from virtperf.technique.io.protection import protection, table

MODES = Scenario.load("iommu-modes")


@pytest.mark.parametrize("technique", matrix.disk_techniques())
def test_every_path_says_what_it_allows_and_why(technique):
    assert guards(technique)
    for name in FEATURES:
        found = feature(technique, name)
        assert found.can in ("yes", "no", "partly") and len(found.why.split()) > 3


def test_a_typo_is_answered_with_the_right_name():
    with pytest.raises(UnknownNameError, match="did you mean passthrough"):
        feature("passthru", "sharing")
    with pytest.raises(UnknownNameError, match="did you mean migration"):
        feature("virtio", "migraton")


def test_only_a_device_without_an_iommu_reaches_others():
    for row in table():
        assert row.protected == (row.by != "nobody")
        assert row.stale == row.iommu.endswith("deferred")


def test_a_static_map_protects_others_and_not_the_guest_from_its_own_device():
    static, each = (protection("passthrough", iommu=m) for m in ("static", "viommu-strict"))
    assert (static.own, each.own) == ("all", "what is mapped")
    assert static.protected and each.protected
    assert (static.overcommit, each.overcommit) == ("no", "partly")


def test_foreign_pages_are_counted_where_the_machine_has_a_size():
    ported = {"vm.cpu": "paravirtual", "vm.guest": "ported", "vm.memory": "direct"}
    open_ = MODES.with_all({**ported, "vm.disk.iommu": "none"})
    assert protected(open_)[0].foreign_pages == 2**24  # 64 GiB of 4 KiB
    assert protected(MODES)[0].foreign_pages == 0
    assert "16,777,216 pages of the machine" in says(protected(open_)[0])[0]


def test_a_deferred_window_is_bounded_and_told():
    for outstanding in (1, 16):
        many = MODES.with_all(
            {"vm.disk.iommu": "viommu-deferred", "vm.load.outstanding": outstanding}
        )
        exposure = protected(many)[0].exposure
        assert exposure.most <= 2 * 255
        assert exposure.longest_ns <= 1e7
        assert any("after they were unmapped" in line for line in says(protected(many)[0]))


def test_results_say_what_a_given_device_rules_out():
    notes = simulate(MODES, requests=400, replications=1, band=False).notes
    for words in ("protected by the IOMMU", "live migration", "pinned", "has one owner"):
        assert any(words in note for note in notes), words


def test_a_comparison_of_all_disks_says_whom_it_left_out():
    result = compare(MODES, "vm.disk", requests=300, replications=1, band=False)
    assert "vm.disk=passthrough" in result.labels
    assert "vm.disk=sriov" not in result.labels
    assert any(n.startswith("left out: vm.disk=sriov, for device.nvme.vfs") for n in result.notes)


def test_the_command_tells_paths_and_scenarios():
    def run(*words):
        command = [sys.executable, "-m", "virtperf.cli", "protection", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    everything, one = run(), run("iommu-modes")
    assert "viommu-deferred" in everything and "live migration" in everything
    assert one.splitlines()[2].split()[:4] == ["guest", "passthrough", "unmodified", "static"]


def test_the_report_has_both_tables():
    reached, allowed = tables.protection(), tables.features()
    assert len(reached.rows) == len(table())
    assert [row[0] for row in allowed.rows] == list(matrix.disk_techniques())
