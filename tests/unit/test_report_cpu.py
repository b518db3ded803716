"""The report's part on CPU virtualization."""

import pytest

from virtperf import catalog
from virtperf.report.cpu import part
from virtperf.technique import matrix


@pytest.fixture(scope="module")
def cpu():
    return part()


def test_every_workload_and_technique_is_in_the_table(cpu):
    slowdowns, requirements = cpu.tables
    assert [row[0] for row in slowdowns.rows] == catalog.names("workloads")
    assert set(matrix.cpu_techniques()) - {"direct"} <= set(slowdowns.header)
    assert [row[0] for row in requirements.rows] == list(matrix.cpu_techniques())


def test_sentences_name_who_is_wrong_about_popf(cpu):
    assert any("believes masked under trap-emulate, and under no other" in s for s in cpu.sentences)


def test_pictures_are_inline_and_say_what_they_show(cpu):
    assert len(cpu.figures) == 7
    for picture in cpu.figures:
        assert picture.image.startswith("data:image/svg+xml;base64,")
        assert picture.caption.endswith(".")


def test_every_number_of_a_workload_is_there_with_its_source(cpu):
    names = {row[0] for row in cpu.sources.rows}
    for workload in map(catalog.workload, catalog.names("workloads")):
        assert {f"{workload.name}: {key}" for key in workload} <= names
    assert all(row[-1] for row in cpu.sources.rows)
