"""The multicall queue, with every batch worked out by hand."""

import pytest

from virtperf.errors import ParameterError
from virtperf.mechanism.multicall import Batch, MulticallQueue


def test_thirty_two_calls_fit_and_the_next_one_flushes_them():
    queue = MulticallQueue()
    assert [queue.add(0, "stack_switch") for _ in range(32)] == [None] * 32
    assert queue.add(0, "stack_switch") == Batch(calls=32, updates=0, argument_bytes=0)
    assert len(queue) == 1
    queue.flush()
    assert (queue.hypercalls, queue.calls) == (2, 33)
    assert queue.batch_sizes == {32: 1, 1: 1}


def test_neighbouring_updates_are_one_call_and_31_fill_the_buffer():
    """31 x 16 = 496 bytes; the 32nd would end at 512, and the buffer never gets full."""
    queue = MulticallQueue()
    assert [queue.add(16, "mmu_update") for _ in range(31)] == [None] * 31
    assert queue.add(16, "mmu_update") == Batch(calls=1, updates=31, argument_bytes=496)
    assert queue.flush() == Batch(calls=1, updates=1, argument_bytes=16)
    assert (queue.hypercalls, queue.calls, queue.updates) == (2, 2, 32)


def test_a_call_in_between_keeps_updates_apart():
    queue = MulticallQueue()
    for kind in ("mmu_update", "stack_switch", "mmu_update", "mmu_update"):
        queue.add(16, kind)
    assert queue.flush() == Batch(calls=3, updates=3, argument_bytes=64)


def test_only_requests_with_an_array_merge():
    for kind, calls in (("mmuext_op", 1), ("update_va_mapping", 2)):
        queue = MulticallQueue()
        queue.add(24, kind)
        queue.add(24, kind)
        assert queue.flush() == Batch(calls=calls, updates=0, argument_bytes=48)


def test_arguments_of_a_new_call_are_aligned_to_eight_bytes():
    queue = MulticallQueue()
    queue.add(3, "a")
    queue.add(3, "b")
    assert queue.flush() == Batch(calls=2, updates=0, argument_bytes=11)


def test_nothing_merges_across_a_flush():
    queue = MulticallQueue()
    queue.add(16, "mmu_update")
    assert queue.flush() == Batch(calls=1, updates=1, argument_bytes=16)
    queue.add(16, "mmu_update")
    assert queue.flush() == Batch(calls=1, updates=1, argument_bytes=16)


def test_flushing_an_empty_queue_enters_no_hypervisor():
    queue = MulticallQueue()
    assert queue.flush() is None
    assert (queue.hypercalls, queue.batch_sizes) == (0, {})


@pytest.mark.parametrize(
    ("says", "call"),
    [
        ("MulticallQueue.max_calls must be", lambda: MulticallQueue(max_calls=0)),
        ("MulticallQueue.argument_bytes must be", lambda: MulticallQueue(argument_bytes=0)),
        ("add.argument_bytes must be 0 to 511", lambda: MulticallQueue().add(512, "a")),
        ("add.argument_bytes must be 0 to 511", lambda: MulticallQueue().add(-1, "a")),
        ("add.kind must be", lambda: MulticallQueue().add(1, "")),
    ],
)
def test_nonsense_is_refused_by_name(says, call):
    with pytest.raises(ParameterError, match=says):
        call()
