import math

import pytest

from virtperf.errors import ParameterError
from virtperf.units import MAX_TICKS, TICKS_PER_NS, UNITS, human_time, ns, parse, ticks


def test_a_tick_is_a_picosecond():
    assert TICKS_PER_NS == 1000
    assert ticks(1) == 1000
    assert ns(1) == 0.001


@pytest.mark.parametrize(("time_ns", "expected"), [(0.0005, 1), (0.0015, 2), (0.0025, 2)])
def test_ticks_round_half_to_even_but_never_to_nothing(time_ns, expected):
    assert ticks(time_ns) == expected


def test_nothing_stays_nothing_and_something_never_becomes_nothing():
    assert ticks(0) == 0
    assert ticks(5e-324) == 1


def test_ticks_are_python_ints():
    numpy = pytest.importorskip("numpy")
    assert type(ticks(numpy.float64(2.5))) is int


@pytest.mark.parametrize("time_ns", [-1, -1e-9, math.nan, math.inf, -math.inf, 1e16])
def test_an_impossible_time_is_refused(time_ns):
    with pytest.raises(ParameterError, match=r"units\.ticks must be a time from 0 ns to 106 days"):
        ticks(time_ns)


def test_the_longest_time_fits_an_int64():
    assert ticks(9.2e15) < MAX_TICKS == 2**63 - 1


@pytest.mark.parametrize(
    ("text", "dimension", "expected"),
    [
        ("4KiB", "size", 4096),
        ("32 us", "duration", 32_000),
        (" 1e3ns ", "duration", 1000),
        (".5ms", "duration", 500_000),
        ("2.5GHz", "frequency", 2.5e9),
        ("80 cycles", "cycles", 80),
        ("8bit/s", "bandwidth", 1),
        ("1MiB/s", "bandwidth", 2**20),
        ("500 1/s", "rate", 500),
        ("0.5", "number", 0.5),
        ("3 1", "number", 3),
    ],
)
def test_text_becomes_base_units(text, dimension, expected):
    assert parse(text, dimension) == expected


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_can_be_parsed(unit):
    dimension, factor = UNITS[unit]
    assert parse(f"2 {unit}", dimension) == 2 * factor


@pytest.mark.parametrize(
    "text", ["10 parsec", "10", "us", "", "-5us", "1e999us", "nanus", "1 2us", "4KiB", "10 US"]
)
def test_text_of_another_kind_is_refused_with_an_example(text):
    with pytest.raises(ParameterError, match="must be a duration such as 10us") as caught:
        parse(text, "duration")
    assert caught.value.got == text


def test_the_examples_in_the_errors_are_legal():
    for dimension in {dimension for dimension, _ in UNITS.values()}:
        with pytest.raises(ParameterError) as caught:
            parse("?", dimension)
        assert parse(caught.value.must.rpartition("such as ")[2], dimension) > 0


@pytest.mark.parametrize(
    ("time_ns", "words"),
    [
        (0, "0 ns"),
        (0.25, "0.25 ns"),
        (999.4, "999 ns"),
        (999.96, "1 us"),
        (12_345, "12.3 us"),
        (-12_345, "-12.3 us"),
        (5e6, "5 ms"),
        (1.5e9, "1.5 s"),
        (12_345e9, "12345 s"),
    ],
)
def test_a_time_is_worded_with_three_digits_and_the_fitting_unit(time_ns, words):
    assert human_time(time_ns) == words
