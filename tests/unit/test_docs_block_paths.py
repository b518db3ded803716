"""The page on block paths knows every path, and every field that chooses among threads."""

import pytest

from virtperf import catalog
from virtperf.technique import matrix

PAGE = catalog.root().parent / "docs" / "block-paths.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="an installed copy has no docs")


def row(technique: str) -> str:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("| `") and f"`{technique}`" in line)


ELSEWHERE = ("passthrough", "sriov", "xen-blkfront")  # have pages of their own


@pytest.mark.parametrize(
    "technique", [name for name in matrix.disk_techniques() if name not in ELSEWHERE]
)
def test_the_page_has_a_row_for_each_technique_with_what_it_lets_one_choose(technique):
    chosen = row(technique).rsplit("|", 2)[1]
    assert (f"`{matrix.threads(technique)}`" in chosen) == bool(matrix.threads(technique))
    assert ("`poll`" in chosen) == matrix.polls(technique)
