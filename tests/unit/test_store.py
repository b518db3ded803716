"""What is stored is whole at any moment, and what is damaged is told, set aside, and not lost."""

import errno
import os

import pandas as pd
import pytest

from virtperf.errors import OutputError, StoreError
from virtperf.store import Store, files


def rows(*values, name="a"):
    return pd.DataFrame({"name": [name] * len(values), "value": values})


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "mine")
    store.add({"data": rows(1.0, 2.0), "runs": rows(1)})
    store.add({"data": rows(3.0), "runs": rows(2), "empty": rows()})
    return store


def values(store, table="data"):
    return list(store.read(table)["value"])


def test_parts_are_read_in_the_order_they_came(store):
    assert values(store) == [1.0, 2.0, 3.0]
    assert values(store, "runs") == [1, 2]
    assert store.parts()["00000002"] == ["data", "runs"]
    assert store.read("nothing").empty


def test_names_are_strings_again(store):
    assert set(store.read("data")["name"]) == {"a"}
    assert pd.api.types.is_string_dtype(store.read("data")["name"])


def test_any_reader_of_parquet_sees_the_rows(store):
    found = pd.concat(pd.read_parquet(file) for file in sorted(store.folder.glob("data/*.parquet")))

    assert list(found["value"]) == [1.0, 2.0, 3.0]


def test_a_part_that_was_not_finished_is_not_there_and_goes_away(store, monkeypatch):
    monkeypatch.setattr(Store, "_write_parts", lambda *_: None)  # the process dies before it
    store.add({"data": rows(9.0), "runs": rows(9)})

    assert values(store) == [1.0, 2.0, 3.0]
    assert store.heal() == []
    assert len(list(store.folder.glob("data/*.parquet"))) == 2


def test_a_full_disk_loses_nothing(store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device; what was stored before"):
        store.add({"data": rows(9.0)})
    monkeypatch.undo()

    assert values(store) == [1.0, 2.0, 3.0]
    assert not list(store.folder.rglob("*.unfinished"))


@pytest.mark.parametrize("damage", [b"", b"PAR1 half a file", None, "flip"])
def test_a_damaged_file_is_named_and_its_part_set_aside(store, damage):
    file = store.folder / "data" / "00000001.parquet"
    if damage is None:
        file.unlink()
    elif damage == "flip":
        content = bytearray(file.read_bytes())
        content[40] ^= 255
        file.write_bytes(content)
    else:
        file.write_bytes(damage)

    with pytest.raises(StoreError, match=r"00000001.parquet is (damaged|missing)"):
        store.read("data")
    (problem,) = store.heal()

    assert "00000001.parquet is" in problem
    assert (values(store), values(store, "runs")) == ([3.0], [2])
    assert len(list(store.folder.glob("*/*.damaged"))) == (1 if damage is None else 2)


@pytest.mark.parametrize("content", ["", "[]", '{"parts": '])
def test_a_damaged_list_is_made_again_from_the_parts(store, content):
    (store.folder / "parts.json").write_text(content)

    with pytest.raises(StoreError, match=r"parts.json is damaged"):
        store.parts()
    assert len(store.heal()) == 1
    assert values(store) == [1.0, 2.0, 3.0]


def test_a_list_of_another_format_is_not_touched(store):
    (store.folder / "parts.json").write_text('{"format": 99, "parts": {}}')

    with pytest.raises(StoreError, match="has format 99; this virtperf reads format 1"):
        store.read("data")
    with pytest.raises(StoreError, match="has format 99"):
        store.heal()


def test_rewriting_makes_one_part_of_all(store):
    store.rewrite(lambda table, frame: frame[frame["value"] > 1] if table == "data" else frame)

    assert (values(store), values(store, "runs")) == ([2.0, 3.0], [1, 2])
    assert list(store.parts()) == ["00000003"]
    assert len(list(store.folder.glob("*/*.parquet"))) == 2


def test_what_was_replaced_does_not_come_back_with_a_damaged_list(store, monkeypatch):
    monkeypatch.setattr(Store, "_remove_strays", lambda *_: None)  # the process dies before it
    store.rewrite(lambda _, frame: frame)
    monkeypatch.undo()
    (store.folder / "parts.json").write_text("")
    store.heal()

    assert values(store) == [1.0, 2.0, 3.0]


def test_only_one_writes(store):
    with store.alone(), pytest.raises(StoreError, match="another sweep writes"), store.alone():
        pass
    with store.alone():
        pass


def test_unfinished_things_are_kept_until_they_are_dropped(store):
    store.keep("a", b"1")
    store.keep("b", b"2")
    store.drop(["a"])

    assert store.kept() == {"b": b"2"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match=r"cannot be written"):
        Store(tmp_path / "file" / "mine").add({"data": rows(1.0)})
