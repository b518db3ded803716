import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.design import Range, axis, factor, label, ranged, ranges
from virtperf.errors import ParameterError


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("1..4", [1, 2, 3, 4]),
        ("-1..1", [-1, 0, 1]),
        ("0..50000/6", [0, 10000, 20000, 30000, 40000, 50000]),
        ("0.0..1.0/3", [0.0, 0.5, 1.0]),
        ("1..64/4 log", [1, 4, 16, 64]),
        ("1e-3..1e1/3 log", [0.001, 0.1, 10.0]),
        ("0.5x..2x/3 log", ["0.5x", "1x", "2x"]),
        ("1,2,4", [1, 2, 4]),
        ("native, virtio", ["native", "virtio"]),
        ("../a.json,b", ["../a.json", "b"]),
        ("False,True", [False, True]),
    ],
)
def test_levels_of_a_range_as_typed(text, levels):
    found = Range.read(text).levels()
    assert found == levels
    assert [type(level) for level in found] == [type(level) for level in levels]
    assert axis(f"vm.x={text}") == ("vm.x", levels)


@pytest.mark.parametrize("text", ["1..", "1..x", "4..1", "3..3", "1..2x", "0..8 log", "1,2..4"])
def test_half_a_range_is_refused_with_its_address(text):
    with pytest.raises(ParameterError, match=r"design\.vm\.count must be"):
        axis(f"vm.count={text}")


@pytest.mark.parametrize("text", ["0.0..1.0", "0..50000", "0.5x..2x"])
def test_a_range_without_a_number_of_levels_is_no_axis_of_a_grid(text):
    with pytest.raises(ParameterError, match=r"design\.vm\.x must be given up to 1,000 levels, "):
        axis(f"vm.x={text}")


def test_the_hint_is_what_can_be_typed():
    with pytest.raises(ParameterError, match=r"such as 1\.\.4096/5 log, or sampled") as caught:
        axis("vm.x=1..4096 log")
    hint = caught.value.must.removeprefix("given up to 1,000 levels, such as ")
    assert axis(f"vm.x={hint.split(',')[0]}") == ("vm.x", [1, 8, 64, 512, 4096])


@pytest.mark.parametrize("text", ["1..3/4", "0.0..1.0/1"])
def test_more_levels_than_there_are_or_fewer_than_two_are_refused(text):
    with pytest.raises(ParameterError, match="2 to as many as there are"):
        Range.read(text)


TEXTS = ["1..8", "-3.5..2.0", "1..1024 log", "0.001..1.0 log", "0.5x..2x", "a,b,c", "0..3000000"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_range_is_printed_as_it_is_typed(text):
    assert Range.read(str(Range.read(text))) == Range.read(text)


@given(text=st.sampled_from(TEXTS), u=st.floats(0, 1))
def test_every_position_is_a_level_in_the_range_whose_label_reads_back(text, u):
    one = Range.read(text)
    level = one.at(u)

    assert 0 <= one.position(level) <= 1
    assert axis(label({"vm.x": level})) == ("vm.x", [level])


@given(
    text=st.sampled_from(["-3.5..2.0", "0.001..1.0 log", "0.5x..2x", "0.0..3e6"]), u=st.floats(0, 1)
)
def test_position_is_the_way_back_to_six_digits(text, u):
    one = Range.read(text)
    assert one.position(one.at(u)) == pytest.approx(u, abs=2e-5)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_position_is_no_lower_level(u, v):
    for text in ("1..8", "1..1024 log", "0.0..1.0"):
        one = Range.read(text)
        assert (one.at(max(u, v)) >= one.at(min(u, v))) is True


@pytest.mark.parametrize("text", [t for t in TEXTS if ".." in t])
def test_both_ends_are_in_a_range(text):
    one = Range.read(text)
    ends = [one.at(0.0), one.at(1.0)]
    if one.relative:
        ends = [factor(end) for end in ends]
    assert ends == [one.low, one.high]


def test_whole_numbers_get_equal_parts_and_on_a_log_scale_equal_ratios():
    plain, log = Range.read("1..4"), Range.read("1..3 log")
    grid = [(i + 0.5) / 6000 for i in range(6000)]

    assert [sum(plain.at(u) == n for u in grid) for n in (1, 2, 3, 4)] == [1500] * 4
    for n in (1, 2, 3):
        share = math.log((n + 1) / n) / math.log(4)
        assert sum(log.at(u) == n for u in grid) == pytest.approx(6000 * share, abs=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"low": 2.0, "high": 1.0}, r"Range\.low\.\.high must be two finite numbers"),
        ({"low": 0.0, "high": math.inf}, "finite"),
        ({"low": 0.0, "high": 1.0, "log": True}, r"Range\.low must be positive in a log range"),
        ({"low": 0.5, "high": 2.0, "integer": True}, "whole numbers"),
        ({"choices": (1, 1)}, "each level once"),
    ],
)
def test_an_impossible_range_is_refused(given, says):
    with pytest.raises(ParameterError, match=says):
        Range(**given)


def test_a_level_or_a_position_outside_is_refused():
    with pytest.raises(ParameterError, match=r"Range\.position must be in \[0, 1\], got 1\.5"):
        Range.read("1..8").at(1.5)
    for text, level in (("1..8", 9), ("a,b", "c"), ("0.5x..2x", 1.0)):
        with pytest.raises(ParameterError, match=r"Range\.level"):
            Range.read(text).position(level)


@pytest.mark.parametrize("text", ["vm.count", "vm.count=", "=1..2"])
def test_a_factor_without_a_range_is_refused(text):
    with pytest.raises(ParameterError, match=r"such as vm\.count=1\.\.8"):
        ranged(text)


@pytest.mark.parametrize("given", [["a"], [], 3, {"low": 1}, [1, 1], "7"])
def test_what_does_not_vary_is_no_range(given):
    with pytest.raises(ParameterError, match=r"design\.vm\.x(\.low)? must be"):
        ranges({"vm.x": given})
