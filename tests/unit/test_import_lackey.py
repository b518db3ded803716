"""Lackey's lines become words: kinds, pages touched twice, lines that are not lackey's."""

import io
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from virtperf.cli import app
from virtperf.errors import ImportFileError, OutputError
from virtperf.importers import lackey
from virtperf.importers.lackey import Recording, import_lackey, read_lackey
from virtperf.stream import load_trace

SAMPLE = Path(__file__).parents[1] / "data" / "lackey" / "true.txt"
LINE = re.compile(r"(I  | [LSM] )([0-9a-fA-F]{1,16}),(\d{1,4})")
FLAGS = {"I": 2, "L": 0, "S": 1, "M": 5}


def by_regex(text):
    """Words of accesses, as plainly as can be; None where a line is none."""
    words = []
    for line in text.splitlines():
        match = LINE.fullmatch(line)
        if match is None:
            words.append(None)
            continue
        first = int(match[2], 16)
        last = first + int(match[3]) - 1
        pages = range(first >> 12, (last >> 12) + 1)
        words += [page << 12 | FLAGS[match[1].strip()] for page in pages]
    return words


def words_of(text):
    return np.concatenate([np.empty(0, np.uint64), *read_lackey(io.BytesIO(text.encode()))])


def refusal(text):
    with pytest.raises(ImportFileError) as caught:
        list(read_lackey(io.BytesIO(text)))
    return str(caught.value)


def test_each_kind_has_its_flags():
    text = "I  0401ab70,3\n L 1fff000748,8\n S 1fff000fff,1\n M 04a17de0,16\n"
    assert [hex(word) for word in words_of(text)] == [
        "0x401a002",
        "0x1fff000000",
        "0x1fff000001",
        "0x4a17005",
    ]


def test_an_access_to_two_pages_is_two_words_and_others_one():
    text = "I  0fff,2\n L 1fff,1\n S 2ffc,8\n M 3001,4096\n L 4000,4096\n"
    expected = ["0x2", "0x1002", "0x1000", "0x2001", "0x3001", "0x3005", "0x4005", "0x4000"]
    assert [hex(word) for word in words_of(text)] == expected


def test_a_recording_of_a_real_program(tmp_path):
    found = import_lackey(SAMPLE, tmp_path / "true.zst")
    text = SAMPLE.read_text()
    kinds = Counter(line[:3].strip() for line in text.splitlines() if LINE.fullmatch(line))
    assert found == Recording(
        lines=kinds.total(),
        fetches=kinds["I"],
        writes=kinds["S"] + kinds["M"],
        crossings=found.words - kinds.total(),
        words=len([word for word in by_regex(text) if word is not None]),
    )
    assert kinds.keys() == set("ILSM") and found.crossings  # the sample has some of everything
    words = load_trace(tmp_path / "true.zst").tolist()
    assert words == [word for word in by_regex(text) if word is not None]


def test_what_valgrind_says_besides_is_passed_over():
    says = "==12== Lackey\n\n--12-- warning\n**12** hello\n==00:00:00:00.123 12== Counted 0, 1\n"
    assert words_of(f"{says}I  1000,1\n{says}").tolist() == [0x1002]


@pytest.mark.parametrize("block", [1, 7, 16, 64, 1 << 22])
def test_blocks_may_end_anywhere(block, monkeypatch):
    monkeypatch.setattr(lackey, "_BLOCK", block)
    text = SAMPLE.read_text()
    assert words_of(text).tolist() == [word for word in by_regex(text) if word is not None]
    assert words_of("I  1000,1").tolist() == [0x1002]  # no newline at the end


def test_all_bad_lines_are_counted_and_the_first_few_are_quoted():
    bad = ["hello", " L 1000", " X 1000,8", "I  1000,0", "I  10g0,1", " L ,8", " S 1000,"]
    says = refusal(("I  1000,1\n==1== x\n" + "\n".join(bad) + "\n L 1000,8\n").encode())
    assert "standard input: 7 bad lines\n" in says
    quoted = re.findall(r"line (\d+): an access must be .*, got '(.*)'", says)
    assert quoted == [(str(at), line) for at, line in zip(range(3, 8), bad[:5], strict=True)]
    assert "\n  - and 2 more\n" in says and "--log-file" in says


@pytest.mark.parametrize(
    "line",
    [
        "I  1000,4097",
        "I 1000,1",
        "I   1000,1",
        "L 1000,1",
        " L  1000,1",
        " I 1000,1",
        "I  11112222333344445,1",
        "I  1000,10000",
        "I  1000,1,1",
        "I  1000,1 ",
        "I  1000;1",
        "I  0x1000,1",
        "I  -100,1",
        "I  ,",
        "I",
        "=12= x",
        "I  800000000000,1",  # between the two halves of 48 bits
        "I  7fffffffffff,2",  # ends there
    ],
)
def test_a_line_that_is_no_access_is_refused(line):
    says = refusal(f"I  1000,1\n{line}\n".encode())
    assert "1 bad line\n" in says and "line 2: an access must be `I  `, ` L `" in says
    assert f"got {line!r}" in says


def test_the_upper_half_is_the_kernels_and_canonical():
    assert words_of("I  ffff800000000000,1\n").tolist() == [0xFFFF800000000002]


def test_what_is_not_text_is_refused_without_reading_it_all(monkeypatch):
    monkeypatch.setattr(lackey, "_BLOCK", 1 << 12)
    source = io.BytesIO(b"\x00" * 100_000)
    with pytest.raises(ImportFileError, match="lines of at most 4096 bytes"):
        list(read_lackey(source))
    assert source.tell() < 20_000
    assert "1 bad line\n" in refusal(b"I  1000,1\n\xff\xfe\x00\n")


@pytest.mark.parametrize("text", ["", "==1== Lackey\n==1== \n"])
def test_no_access_is_no_trace(text, tmp_path):
    with pytest.raises(ImportFileError, match="was lackey run with --trace-mem=yes"):
        import_lackey(io.BytesIO(text.encode()), tmp_path / "none.zst")
    assert list(tmp_path.iterdir()) == []


def test_bad_lines_leave_no_trace_behind(tmp_path):
    with pytest.raises(ImportFileError, match="1 bad line"):
        import_lackey(io.BytesIO(b"I  1000,1\nhello\n"), tmp_path / "none.zst")
    with pytest.raises(ImportFileError, match="cannot be read: No such file"):
        import_lackey(tmp_path / "nothing.txt", tmp_path / "none.zst")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="cannot be written"):
        import_lackey(io.BytesIO(b"I  1000,1\n"), tmp_path / "nowhere" / "none.zst")


hexadecimal = st.integers(0, 2**47 - 4097).map(lambda number: f"{number:08x}")
lines = st.one_of(
    st.builds(
        "{}{},{}".format,
        st.sampled_from(["I  ", " L ", " S ", " M "]),
        hexadecimal,
        st.one_of(st.integers(1, 64), st.integers(1, 4096)),
    ),
    st.text(alphabet="ILSM 0189afF,=x", max_size=9),
)


@settings(max_examples=300, deadline=None)
@given(drawn=st.lists(lines, max_size=20))
def test_many_lines_at_once_are_each_line_by_itself(drawn):
    expected = []
    for line in drawn:
        match = LINE.fullmatch(line)
        inside = match and 1 <= int(match[3]) <= 4096
        expected.append(by_regex(line)[0] if inside else None)
    bad = sum(
        word is None and line.strip() != "" for word, line in zip(expected, drawn, strict=True)
    )
    text = "".join(f"{line}\n" for line in drawn)
    if bad:
        assert f"{bad} bad line" in refusal(text.encode())
    else:
        assert words_of(text).tolist() == [
            word for line in drawn if line.strip() for word in by_regex(line)
        ]


def test_the_command_says_what_it_found(tmp_path):
    done = CliRunner().invoke(app, ["import", "lackey", str(SAMPLE), "-o", str(tmp_path / "a.zst")])
    assert done.exit_code == 0, done.output
    assert f"a.zst: {len(load_trace(tmp_path / 'a.zst')):,} words" in done.output
    assert "instruction fetches" in done.output and "touch two pages" in done.output
    assert f"next: virtperf tlb {tmp_path}" in done.output


def test_the_command_reads_standard_input(tmp_path):
    run = [sys.executable, "-m", "virtperf.cli", "import", "lackey", "-", "-o"]
    done = subprocess.run(
        [*run, str(tmp_path / "a.zst")], input=SAMPLE.read_bytes(), capture_output=True
    )
    assert done.returncode == 0, done.stderr
    expected = [word for word in by_regex(SAMPLE.read_text()) if word is not None]
    assert load_trace(tmp_path / "a.zst").tolist() == expected

    done = subprocess.run(
        [*run, str(tmp_path / "b.zst")], input=b"hello\n", capture_output=True, text=False
    )
    assert done.returncode == 1
    assert b"virtperf: standard input: 1 bad line" in done.stderr
    assert not (tmp_path / "b.zst").exists()
