import re

import pytest

from virtperf.errors import OutputError
from virtperf.experiment.plan import main_axis
from virtperf.report import report, study
from virtperf.report.tables import Table
from virtperf.result.words import digits, plus_minus, span
from virtperf.scenario import Scenario

NO_CLAIMS = Table("How far published cases are met", ["claim"], [["none"]])


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of tiny runs: what it says is tested, not how precise it is."""
    patch = pytest.MonkeyPatch()
    patch.setattr(study, "COUNTS", (1, 2))
    patch.setattr("virtperf.report.findings.COUNTS", (1, 2))
    patch.setattr("virtperf.report.page.COUNTS", (1, 2))
    patch.setattr(study, "SPARE", 400 - study.COUNTED)
    patch.setattr("virtperf.report.tables.validation", lambda: (NO_CLAIMS, ["this: that"]))
    try:
        folder = tmp_path_factory.mktemp("report")
        scenario = folder / "tiny.toml"
        scenario.write_text(Scenario.load("toy").with_("run.replications", 2).to_toml())
        return report(folder, [scenario]).read_text(encoding="utf-8")
    finally:
        patch.undo()


@pytest.mark.slow
def test_the_page_fetches_nothing(page):
    without_pictures = re.sub(r"base64,[^\"]*", "", page)

    assert not re.search(r"https?://|<script|<link|src=\"(?!data:)|@import", without_pictures)
    assert page.count("data:image/svg+xml;base64,") == 10


@pytest.mark.slow
def test_the_answer_comes_first_and_names_every_technique(page):
    answer = page[page.index("<h2>The answer") : page.index("<h2>Figures")]

    for technique in ("emulated-ide", "emulated-ahci", "emulated-nvme", "virtio"):
        assert f"{technique} adds" in answer
    assert "virtio is" in answer


@pytest.mark.slow
def test_three_kinds_of_error_and_every_source_are_told(page):
    for heading in ("Simulation noise", "Parameter band", "Validation", "Every number used"):
        assert heading in page
    assert "too few samples" in page
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["net-rr", "cpu-syscalls", "file-server"])
def test_a_scenario_of_any_kind_has_a_page(name, tmp_path, monkeypatch):
    """Its answer, a figure of where time goes, a table of each technique, and sources."""
    monkeypatch.setattr("virtperf.report.tables.validation", lambda: (NO_CLAIMS, []))
    scenario = tmp_path / "tiny.toml"
    short = {"run.replications": 2, "run.requests": 400}
    scenario.write_text(Scenario.load(name).with_all(short).to_toml())
    page = report(tmp_path, [scenario]).read_text(encoding="utf-8")
    answer = page[page.index("<h2>The answer") : page.index("<h2>Figures")]
    axis = {"net-rr": "vm.nic", "cpu-syscalls": "vm.cpu", "file-server": "vm"}[name]

    assert f"tiny, over {axis}:" in answer
    assert answer.count("Against it:") == 1
    assert answer.count("<li>") >= 4
    assert page.count("data:image/svg+xml;base64,") >= 2
    assert "Every number used" in page


def test_what_a_scenario_is_about_is_what_varies():
    about = {
        "net-server": "vm.nic",
        "block-paths": "vm.disk",
        "cpu-syscalls": "vm.cpu",
        "file-server": "vm",
        "starved-backend": "vm[0].disk",
    }
    assert {name: main_axis(Scenario.load(name)) for name in about} == about


def test_an_unwritable_page_is_one_message(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(study, "conduct", lambda *_: None)
    monkeypatch.setattr("virtperf.report.page.render", lambda *_, **__: "")

    with pytest.raises(OutputError, match="cannot be written"):
        report(tmp_path / "file", ["toy"])


@pytest.mark.parametrize(
    ("mean", "half", "unit", "says"),
    [
        (12_345.6, 120.0, "ns", "12.35 ± 0.12 us"),
        (1_234.5, 100.0, "1/s", "1,234 ± 100/s"),
        (-2_500.0, 0.0, "ns", "-2.500 us"),
        (0.5, 0.0, "1", "0.5000"),
        (0.0, 0.0, "1", "0"),
    ],
)
def test_a_value_has_the_digits_its_interval_leaves(mean, half, unit, says):
    assert plus_minus(mean, half, unit) == says


def test_numbers_have_separators_and_three_digits():
    assert (digits(1_234_567), digits(0.012345), digits(0)) == ("1,230,000", "0.0123", "0")
    assert span(900.0, 2_100.0, "ns") == "0.900 to 2.10 us"
