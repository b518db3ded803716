"""POPF, concretely: who sees a change of the interrupt flag, and what happens if nobody does."""

import pytest

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.mechanism.interrupts import (
    MONITORS,
    Delivery,
    FlagsAt,
    Op,
    Violation,
    example_popf,
    program,
    run,
)

CORRECT = [monitor for monitor in MONITORS if monitor != "trap-emulate"]
RESTORE = program("pushf; cli; work 2; popf; work 4")  # how kernels protect a critical section


@pytest.mark.parametrize("monitor", CORRECT)
def test_the_classic_program_waits_with_the_interrupt_until_it_may_come(monitor):
    ops, arrivals = example_popf()

    outcome = run(ops, monitor, arrivals)

    assert outcome.deliveries == (Delivery(0, 11),)
    assert outcome.violations == ()
    assert (outcome.traps, outcome.lost_updates, outcome.leaks) == (0, 0, 0)


def test_trap_and_emulate_delivers_into_a_critical_section_it_never_saw():
    ops, arrivals = example_popf()

    outcome = run(ops, "trap-emulate", arrivals)

    assert outcome.deliveries == (Delivery(0, 8),)
    assert outcome.violations == (Violation("delivered-while-masked", 0, 8, "POPF at 4"),)
    assert (outcome.traps, outcome.lost_updates, outcome.leaks) == (3, 1, 1)


def test_trap_and_emulate_keeps_an_interrupt_the_guest_believes_to_have_enabled():
    native, emulated = (run(RESTORE, monitor, [3]) for monitor in ("native", "trap-emulate"))

    assert native.deliveries == (Delivery(0, 5),)
    assert emulated.deliveries == ()
    assert emulated.pending == (0,)
    assert emulated.violations == (Violation("pending-while-enabled", 0, 5, "POPF at 3"),)


def test_a_popf_that_restores_what_the_monitor_holds_anyway_loses_nothing():
    outcome = run(program("pushf; popf; work 3"), "trap-emulate", [3])

    assert (outcome.lost_updates, outcome.violations) == (0, ())
    assert outcome.leaks == 1


def test_a_trapped_instruction_mends_what_a_popf_broke():
    outcome = run((*RESTORE, Op("STI"), Op("WORK")), "trap-emulate", [3, 10])

    assert outcome.deliveries == (Delivery(0, 10), Delivery(1, 10))
    assert [one.interrupt for one in outcome.violations] == [0]


def test_each_interrupt_caught_between_the_flags_is_one_violation():
    outcome = run(RESTORE, "trap-emulate", [3, 6, 7])

    assert [(one.interrupt, one.time) for one in outcome.violations] == [(0, 5), (1, 6), (2, 7)]


def test_an_interrupt_at_the_end_of_cli_is_too_late_and_one_before_it_is_not():
    ops = program("work 1; cli; work 1")

    assert run(ops, "native", [2]).pending == (0,)
    assert run(ops, "native", [1]).deliveries == (Delivery(0, 1),)


def test_the_events_tell_the_story_in_order():
    ops, arrivals = example_popf()

    events = run(ops, "trap-emulate", arrivals).events

    assert [event.time for event in events] == sorted(event.time for event in events)
    assert "POPF changes arithmetic flags only, no trap, update lost" in [
        one.what for one in events
    ]


@pytest.mark.parametrize(
    ("monitor", "says"),
    [
        ("native", "STI executes"),
        ("trap-emulate", "STI traps, and the monitor sets the virtual flag"),
        ("binary-translation", "STI works on the virtual flag, in the code cache"),
        (
            "paravirtual",
            "STI works on the mask byte in shared memory, then checks for pending events",
        ),
        ("hardware", "STI works on the guest's own flag"),
    ],
)
def test_each_monitor_says_how_it_unmasks(monitor, says):
    assert says in [event.what for event in run(program("cli; sti"), monitor).events]


def test_a_program_reads_back():
    ops = program("CLI\n work 3; ;sti")

    assert "; ".join(map(str, ops)) == "CLI; WORK 3; STI"


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("popff", UnknownNameError, "no operation named 'POPFF'; did you mean POPF"),
        ("cli 2", ParameterError, "1 for all but WORK, got 2"),
        ("work 0", ParameterError, "at least 1"),
        ("work -1", ParameterError, "an operation, or WORK and a number, got 'work -1'"),
    ],
)
def test_a_line_that_is_no_operation_is_refused(text, error, says):
    with pytest.raises(error, match=says):
        program(text)


def test_a_run_that_makes_no_sense_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean trap-emulate"):
        run(RESTORE, "trap-and-emulate")
    with pytest.raises(ParameterError, match="pushing before it pops, got 'POPF at 1'"):
        run(program("cli; popf; pushf"), "native")
    with pytest.raises(ParameterError, match="within 0 to 9, got 10"):
        run(RESTORE, "native", [10])


def test_the_flags_over_time_part_at_the_lost_popf_and_meet_at_the_next_trap():
    ops, arrivals = example_popf()

    outcome = run(ops, "trap-emulate", arrivals)

    assert outcome.flags == (
        FlagsAt(0, True, True),
        FlagsAt(1, False, False),
        FlagsAt(3, True, True),
        FlagsAt(6, False, True),
        FlagsAt(11, True, True),
        FlagsAt(12, True, True),
    )
    assert outcome.arrivals == (8,)


@pytest.mark.parametrize("monitor", CORRECT)
def test_where_every_change_is_seen_the_flags_never_part(monitor):
    outcome = run(RESTORE, monitor, [7, 3])

    assert [flags.time for flags in outcome.flags] == [0, 2, 5, 9]
    assert all(flags.believed == flags.monitor for flags in outcome.flags)
    assert outcome.arrivals == (3, 7)


def test_a_change_by_the_last_instruction_and_no_instruction_at_all_are_told():
    assert run(program("work 2; cli"), "native").flags == ((0, True, True), (3, False, False))
    assert run((), "native").flags == ((0, True, True),)
