"""How a stream is cut does not change it, whatever it is made of; a trace gives back any words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtperf.stream import (
    CodeAndData,
    Mix,
    Phases,
    PointerChase,
    Strided,
    Uniform,
    Zipf,
    compose,
    generate,
    load_trace,
    part_of,
    read_trace,
    regroup,
    write_trace,
    zipf,
)
from virtperf.stream import shapes as shapes_module
from virtperf.stream.words import FLAGS

pytestmark = pytest.mark.property

PAGE = 4096
counts = st.integers(1, 300)
fractions = st.sampled_from([0.0, 0.25, 1.0])
footprints = counts.map(lambda pages: pages * PAGE)
shapes = st.one_of(
    st.builds(
        Strided,
        footprint_bytes=st.integers(1, 1 << 47),
        stride_bytes=st.integers(1, 1 << 47),
        write_fraction=fractions,
    ),
    st.builds(Uniform, footprint_bytes=footprints, write_fraction=fractions),
    st.builds(Zipf, footprint_bytes=footprints, exponent=st.floats(0.1, 3)),
    st.builds(PointerChase, footprint_bytes=footprints),
)
streams = st.recursive(
    shapes,
    lambda part: st.one_of(
        st.builds(
            Phases, parts=st.lists(st.tuples(part, st.integers(1, 400)), min_size=1, max_size=3)
        ),
        st.builds(CodeAndData, code=part, data=part, fetch_fraction=fractions),
        st.builds(
            Mix,
            processes=st.lists(part, min_size=1, max_size=3),
            quantum=st.integers(1, 400),
        ),
    ),
    max_leaves=4,
)
accesses = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 2**35 - 1), st.integers(2**52 - 2**35, 2**52 - 1)),
        st.sampled_from(FLAGS),
    ),
    min_size=1,
    max_size=60,
)


def joined(chunks):
    return np.concatenate([np.empty(0, dtype=np.uint64), *chunks])


@pytest.fixture(scope="module", autouse=True)
def _blocks_are_short():
    """Let streams of a thousand words have many blocks."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (shapes_module, zipf, compose):
            patch.setattr(module, "BLOCK", 64)
        yield


@settings(max_examples=100, deadline=None)
@given(stream=streams, sizes=st.tuples(st.integers(1, 300), st.integers(1, 1_200)))
def test_chunks_do_not_change_a_stream(stream, sizes):
    total = 1_000
    whole = joined(generate(stream, total, seed=1, chunk=total))
    cut = [list(generate(stream, total, seed=1, chunk=size)) for size in sizes]
    for size, chunks in zip(sizes, cut, strict=True):
        assert {len(chunk) for chunk in chunks[:-1]} <= {size}
        assert np.array_equal(joined(chunks), whole)
    assert np.array_equal(joined(generate(stream, 100, seed=1)), whole[:100])


@settings(max_examples=200, deadline=None)
@given(
    chunks=st.lists(st.lists(st.integers(0, 99), max_size=9), max_size=9), size=st.integers(1, 20)
)
def test_regrouping_loses_and_moves_nothing(chunks, size):
    arrays = [np.array(chunk, dtype=np.uint64) for chunk in chunks]
    found = list(regroup(arrays, size))
    assert joined(found).tolist() == [word for chunk in chunks for word in chunk]
    assert all(len(chunk) == size for chunk in found[:-1])
    assert all(0 < len(chunk) <= size for chunk in found)


@settings(max_examples=100, deadline=None)
@given(drawn=accesses, cuts=st.integers(1, 7), chunk=st.integers(1, 50))
def test_a_trace_gives_back_what_was_written(drawn, cuts, chunk, tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "trace.zst"
    words = np.array([page << 12 | flags for page, flags in drawn], dtype=np.uint64)
    assert write_trace(path, regroup([words], cuts)) == len(words)
    assert np.array_equal(joined(read_trace(path, chunk=chunk)), words)
    for part in ("data", "ifetch"):
        assert np.array_equal(load_trace(path, part=part), part_of(words, part))
