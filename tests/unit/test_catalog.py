import pytest

from virtperf import catalog
from virtperf.errors import UnknownNameError
from virtperf.params import ParameterSet

TOY = """
[memory_access]
value = 100
unit = "ns"
evidence = "assumed"
checked = "own"
source = "a round number"
"""


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A catalog with one platform and two references."""
    (tmp_path / "platforms").mkdir()
    (tmp_path / "platforms" / "toy.toml").write_text(TOY)
    (tmp_path / "references.bib").write_text(
        "% a comment\n@article{smith2020,\n  title = {The {TLB} again},\n}\n"
        "@misc{jones_1999, note = {page 3}}\n"
    )
    monkeypatch.setattr(catalog, "root", lambda: tmp_path)
    catalog._shipped.cache_clear()
    yield tmp_path
    catalog._shipped.cache_clear()


def test_a_shipped_platform_is_found_by_name_and_read_once(shelf):
    assert catalog.names("platforms") == ["toy"]
    assert catalog.path("platforms", "toy") == shelf / "platforms" / "toy.toml"
    assert catalog.platform("toy")["memory_access"].base == 100
    assert catalog.platform("toy") is catalog.platform("toy")


def test_a_file_of_ones_own_is_read_again_each_time(shelf, tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(TOY)
    assert catalog.platform(mine).name == "mine"
    mine.write_text(TOY.replace("100", "50"))
    assert catalog.platform(str(mine))["memory_access"].base == 50


def test_a_typo_is_answered_with_the_right_name(shelf):
    with pytest.raises(UnknownNameError, match="no platform named 'tyo'; did you mean toy"):
        catalog.platform("tyo")
    with pytest.raises(UnknownNameError, match="no kind of model named 'platform'"):
        catalog.names("platform")


def test_an_image_is_read_by_name_or_from_a_file_of_ones_own(shelf, tmp_path):
    assert catalog.names("images") == []
    with pytest.raises(UnknownNameError, match="no image named 'shell'"):
        catalog.image("shell")
    mine = tmp_path / "mine.toml"
    mine.write_text(TOY)
    assert catalog.image(mine)["memory_access"].base == 100


def test_a_kind_without_models_is_empty(shelf):
    assert catalog.names("workloads") == []


def test_the_bibliography_keeps_each_entry_whole(shelf):
    entries = catalog.bibliography()
    assert list(entries) == ["smith2020", "jones_1999"]
    assert entries["smith2020"] == "@article{smith2020,\n  title = {The {TLB} again},\n}"
    assert entries["jones_1999"] == "@misc{jones_1999, note = {page 3}}"


@pytest.mark.parametrize("name", catalog.names("platforms"))
def test_every_shipped_platform_loads(name):
    platform = catalog.platform(name)
    assert isinstance(platform, ParameterSet)
    assert len(platform) > 0
    for key, quantity in platform.items():
        if quantity.dimension in ("duration", "cycles"):
            assert platform.ns(key) >= 0


def test_the_shipped_bibliography_has_entries():
    assert catalog.bibliography()
