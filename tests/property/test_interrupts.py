"""Random programs and interrupts: only a monitor that POPF escapes differs from the processor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.mechanism.interrupts import MONITORS, Op, run

pytestmark = pytest.mark.property
OPS = st.one_of(
    st.sampled_from(["CLI", "STI", "PUSHF", "POPF"]).map(Op),
    st.integers(1, 4).map(lambda count: Op("WORK", count)),
)


@st.composite
def cases(draw):
    """Draw a program that pops no more than it pushes, and interrupts within it."""
    ops, depth = [], 0
    for op in draw(st.lists(OPS, max_size=30)):
        depth += {"PUSHF": 1, "POPF": -1}.get(op.name, 0)
        if depth < 0:
            depth, op = 1, Op("PUSHF")
        ops.append(op)
    length = sum(op.count for op in ops)
    return ops, draw(st.lists(st.integers(0, length), max_size=8))


def without_stack(ops):
    """Return a program of the same length that leaves the stack alone."""
    return [Op("WORK") if op.name in ("PUSHF", "POPF") else op for op in ops]


@given(case=cases(), monitor=st.sampled_from(sorted(set(MONITORS) - {"trap-emulate"})))
def test_a_monitor_that_sees_the_flag_delivers_as_the_processor_does(case, monitor):
    ops, arrivals = case
    outcome, native = run(ops, monitor, arrivals), run(ops, "native", arrivals)

    assert outcome.violations == ()
    assert (outcome.deliveries, outcome.pending) == (native.deliveries, native.pending)
    assert (outcome.lost_updates, outcome.leaks, outcome.traps) == (0, 0, 0)


@given(case=cases())
def test_trap_and_emulate_without_popf_delivers_as_the_processor_does(case):
    ops, arrivals = without_stack(case[0]), case[1]
    outcome, native = run(ops, "trap-emulate", arrivals), run(ops, "native", arrivals)

    assert outcome.violations == ()
    assert outcome.deliveries == native.deliveries


@given(case=cases(), monitor=st.sampled_from(MONITORS))
def test_every_interrupt_is_delivered_once_in_order_or_pending(case, monitor):
    ops, arrivals = case
    outcome = run(ops, monitor, arrivals)

    got = [one.interrupt for one in outcome.deliveries]
    assert [*got, *outcome.pending] == list(range(len(arrivals)))
    assert [one.time for one in outcome.deliveries] == sorted(
        one.time for one in outcome.deliveries
    )


@given(case=cases())
def test_where_trap_and_emulate_differs_it_has_lost_an_update_and_violates(case):
    ops, arrivals = case
    outcome, native = run(ops, "trap-emulate", arrivals), run(ops, "native", arrivals)

    assert (outcome.deliveries != native.deliveries) == bool(outcome.violations)
    assert not outcome.violations or outcome.lost_updates
