"""Page traces: what is written is read, and what is no trace is refused, with words that help."""

import io

import numpy as np
import pyarrow as pa
import pytest

from virtperf.errors import ImportFileError, OutputError, ParameterError
from virtperf.stream import load_trace, pages_of, part_of, read_trace, trace, write_trace

WORDS = np.array(
    [0x400002, 0x1000, 0x1FFF000001, 0x2005, 0xFFFF_FFFF_8000_0002, 0x7FFF_FFFF_F000],
    dtype=np.uint64,
)


def zstd(data):
    return pa.Codec("zstd").compress(data, asbytes=True)


def written(tmp_path, data):
    path = tmp_path / "trace.zst"
    path.write_bytes(data)
    return path


def refusal(path, **arguments):
    with pytest.raises(ImportFileError) as caught:
        load_trace(path, **arguments)
    assert str(path) in str(caught.value)
    return caught.value.problem


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "trace.zst"
    assert write_trace(path, [WORDS[:2], WORDS[2:2], WORDS[2:]]) == 6
    assert load_trace(path).tolist() == WORDS.tolist()
    assert [len(chunk) for chunk in read_trace(path, chunk=4)] == [4, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["trace.zst"]


def test_a_file_is_frames_of_little_endian_words_and_nothing_else(tmp_path):
    data = b"".join(int(word).to_bytes(8, "little") for word in WORDS)
    path = written(tmp_path, zstd(data[:20]) + zstd(data[20:]))  # a frame may end within a word
    assert load_trace(path).tolist() == WORDS.tolist()

    write_trace(path, [WORDS])
    with pa.CompressedInputStream(io.BytesIO(path.read_bytes()), "zstd") as source:
        assert source.read() == data


def test_a_long_trace_is_several_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(trace, "_FRAME", 4)
    path = tmp_path / "trace.zst"
    write_trace(path, [WORDS])
    assert path.read_bytes().count(b"\x28\xb5\x2f\xfd") == 2
    assert load_trace(path).tolist() == WORDS.tolist()


def test_parts_are_told_by_the_flag_of_fetches(tmp_path):
    path = tmp_path / "trace.zst"
    write_trace(path, [WORDS])
    assert load_trace(path, part="ifetch").tolist() == [0x400002, 0xFFFF_FFFF_8000_0002]
    assert load_trace(path, part="data").tolist() == WORDS[[1, 2, 3, 5]].tolist()
    assert part_of(WORDS, "all") is WORDS
    assert [len(chunk) for chunk in read_trace(path, part="ifetch", chunk=1)] == [1, 1]


def test_a_trace_without_the_wanted_part_has_no_chunks(tmp_path):
    path = tmp_path / "trace.zst"
    write_trace(path, [WORDS[1:3]])
    assert list(read_trace(path, part="ifetch")) == []


def test_a_limit_counts_words_of_the_file_and_spares_what_follows(tmp_path):
    path = written(tmp_path, zstd(WORDS.tobytes() + b"\x08" * 8))
    assert load_trace(path, limit=6).tolist() == WORDS.tolist()
    assert load_trace(path, limit=3, part="data").tolist() == WORDS[1:3].tolist()
    assert [len(chunk) for chunk in read_trace(path, limit=5, chunk=2)] == [2, 2, 1]
    assert "word 6" in refusal(path)


def test_words_read_may_be_written_to(tmp_path):
    path = tmp_path / "trace.zst"
    write_trace(path, [WORDS])
    for chunk in read_trace(path):
        assert chunk.flags.writeable and chunk.dtype == np.uint64


def test_a_truncated_trace_is_refused_and_says_how_far_it_can_be_read(tmp_path):
    noise = np.random.default_rng(1).integers(0, 2**35, 50_000, dtype=np.uint64) << np.uint64(12)
    whole = zstd(noise.tobytes())
    path = written(tmp_path, whole[: len(whole) // 2])
    with pytest.raises(ImportFileError, match=r"within a zstd frame, somewhere after word [1-9]"):
        for _ in read_trace(path, chunk=1000):
            pass


def test_the_last_byte_matters(tmp_path):
    assert "ends within" in refusal(written(tmp_path, zstd(WORDS.tobytes())[:-1]))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "28 b5 2f fd; got an empty file"),
        (b"I  04001090,3\n", "must be a page trace.*got the bytes 49 20 20 30"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 40, "no sound zstd frame somewhere after word 0"),
        (zstd(b""), "at least one word of 8 bytes, got none"),
        (zstd(WORDS.tobytes() + b"abc"), "whole words of 8 bytes, got 51 bytes"),
        (zstd(WORDS.tobytes()) + b"tail of another kind", "no sound zstd frame"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path, data, says):
    path = written(tmp_path, data)
    with pytest.raises(ImportFileError, match=says):
        load_trace(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    assert refusal(tmp_path / "none.zst") == "cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (0x1003, "flags must be 0, 1 (write), 2 (instruction fetch) or 5 (read-modify-write), "),
        (0x1004, "got 0x4 in 0x1004"),
        (0x1800, "got 0x800 in 0x1800"),
        (1 << 47, "address must be canonical in 48 bits, got 0x800000000000"),
        ((1 << 64) - (1 << 48), "address must be canonical in 48 bits, got 0xffff000000000000"),
    ],
)
def test_a_word_that_is_no_access_is_refused(tmp_path, word, says):
    words = WORDS.copy()
    words[4] = word
    problem = refusal(written(tmp_path, zstd(words.tobytes())))
    assert problem.startswith("word 4: ") and says in problem
    with pytest.raises(ParameterError, match=r"word 4\.(flags|address) must be"):
        write_trace(tmp_path / "new.zst", [words[:3], words[3:]])
    assert not (tmp_path / "new.zst").exists()


def test_many_bad_words_are_counted(tmp_path):
    words = np.arange(1000, dtype=np.uint64) << np.uint64(12) | np.uint64(8)
    problem = refusal(written(tmp_path, zstd(words.tobytes())))
    assert [f"word {at}: " in problem for at in range(4)] == [True, True, True, False]
    assert problem.endswith("997 more among the next 998")


def test_five_levels_have_more_addresses(tmp_path):
    path = tmp_path / "trace.zst"
    far = np.array([1 << 55, (1 << 64) - (1 << 56)], dtype=np.uint64)
    write_trace(path, [far], address_bits=57)
    assert load_trace(path, address_bits=57).tolist() == far.tolist()
    assert "canonical in 48 bits" in refusal(path)


def test_a_trace_needs_a_word(tmp_path):
    with pytest.raises(ParameterError, match="at least one word"):
        write_trace(tmp_path / "new.zst", [])
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/new\.zst: cannot be written: No such file"):
        write_trace(tmp_path / "nowhere" / "new.zst", [WORDS])


@pytest.mark.parametrize(
    "arguments", [{"part": "code"}, {"chunk": 0}, {"limit": 0}, {"address_bits": 64}]
)
def test_impossible_arguments_are_refused_before_anything_is_read(arguments):
    with pytest.raises(ParameterError, match=f"\\.{next(iter(arguments))} must be"):
        read_trace("none.zst", **arguments)


def test_pages_are_of_the_size_asked_for():
    assert pages_of(WORDS[:2]).tolist() == [0x400, 1]
    assert pages_of(WORDS[:2], 2 << 20).tolist() == [2, 0]
    for size in (2048, 5000, 0):
        with pytest.raises(ParameterError, match=f"power of two from 4096, got {size}"):
            pages_of(WORDS, size)
