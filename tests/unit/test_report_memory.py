"""The report's part on memory virtualization."""

import pytest

from virtperf.plot import memory_data, paging_data
from virtperf.report.memory import SIZES, part

pytestmark = pytest.mark.slow  # all that a part of a report runs and draws


@pytest.fixture(scope="module")
def memory():
    return part()


def test_sentences_say_the_reads_of_both_dimensions_and_who_leaves(memory):
    first, second, third, fourth = memory.sentences
    assert "reads 24 table entries where a native one reads 4, if nothing is cached" in first
    assert "64 GiB accessed at random" in second
    leave = paging_data.leaving("nested", paging_data.faults()["nested"])
    assert third.endswith(f"{leave:,} under nested.")
    assert fourth.startswith("Overcommit of memory: two key-value stores")


def test_tables_have_every_page_size_and_technique(memory):
    costs, faults = memory.tables
    assert len(costs.rows) == len(memory_data.WAYS)
    assert len(costs.header) == 1 + len(SIZES)
    assert [row[0] for row in faults.rows] == list(paging_data.DRAWN)
    assert all(len(row) == len(faults.header) for row in faults.rows)


def test_pictures_are_inline_and_say_what_they_show(memory):
    assert len(memory.figures) == 6
    for picture in memory.figures:
        assert picture.image.startswith("data:image/svg+xml;base64,")
        assert picture.caption.endswith(".")


def test_every_part_of_the_processors_file_has_its_source(memory):
    parts = [row[0] for row in memory.sources.rows]
    assert {"TLBs", "latency", "data_caches", "walk_caches", "tags"} <= set(parts)
    assert all(all(row) for row in memory.sources.rows)
