import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtperf.design import grid, where
from virtperf.errors import ParameterError, UnknownNameError

POINTS = grid(
    {
        "vm.disk": ["native", "virtio"],
        "vm[0].count": [1, 4],
        "vm.load.x": [0.5, 2.0],
        "host.smt": [False, True],
    }
)


def kept(condition, **more):
    return where(POINTS, condition, **more)


def by_hand(holds):
    return [point for point in POINTS if holds(point)]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("vm[0].count > 1", lambda p: p["vm[0].count"] > 1),
        ("vm[0].count * vm.load.x <= 2", lambda p: p["vm[0].count"] * p["vm.load.x"] <= 2),
        ("1 <= vm[0].count < 4", lambda p: p["vm[0].count"] == 1),
        ("vm.disk == 'virtio' or host.smt", lambda p: p["vm.disk"] == "virtio" or p["host.smt"]),
        ("not host.smt and vm.load.x != 2", lambda p: not p["host.smt"] and p["vm.load.x"] != 2),
        ("host.smt == true", lambda p: p["host.smt"]),
        ("vm.disk in ['native', 'xen']", lambda p: p["vm.disk"] == "native"),
        ("vm.disk not in ('native',)", lambda p: p["vm.disk"] != "native"),
        ("-vm[0].count + 10 // 3 % 2 >= 0", lambda p: p["vm[0].count"] == 1),
        ("(vm[0].count - 1) / 3 == 1", lambda p: p["vm[0].count"] == 4),
    ],
)
def test_a_condition_keeps_the_points_that_meet_it(condition, holds):
    assert kept(condition) == by_hand(holds)


def test_several_conditions_must_all_be_met():
    assert where(POINTS, "host.smt", "vm.load.x < 1") == kept("host.smt and vm.load.x < 1")


def test_an_address_that_does_not_vary_may_be_fixed():
    assert kept("vm[0].count <= vm.vcpus", fixed={"vm.vcpus": 2}) == kept("vm[0].count <= 2")


def test_an_address_with_a_hyphen_or_a_word_of_python_is_an_address():
    points = grid({"device.my-ssd.channels": [1, 8], "vm.class": [1, 2]})
    assert where(points, "device.my-ssd.channels - 1 >= vm.class") == points[2:]


def test_a_typo_is_answered_with_the_right_address():
    with pytest.raises(
        UnknownNameError, match=r"no address named 'vm\[0\]\.cuont'; did you mean vm\[0\]\.count"
    ):
        kept("true or vm[0].cuont > 1")  # found although it decides nothing


def test_a_level_without_quotes_is_told_so():
    with pytest.raises(ParameterError, match="the level 'virtio' stands in quotes"):
        kept("vm.disk == virtio")


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "vm[0].count <=",
        "vm[0].count = 1",
        "__import__('os').system('true')",
        "vm[0].count ** 2 > 1",
        "(lambda: true)()",
        "[x for x in (1, 2)]",
        "vm[0].count if host.smt else 1",
        "host.smt is true",
        "~vm[0].count > 0",
        "vm[0].count > None",
        "f'{vm.disk}' == 'native'",
        "(vm[0].count := 3) > 1",
        "(" * 500 + "1" + ")" * 500,
    ],
)
def test_what_is_no_condition_is_refused_and_never_run(condition):
    with pytest.raises(ParameterError, match=r"design\.where must be a condition over addresses"):
        kept(condition)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("vm[0].count", "true or false at every point"),
        ("vm[0].count and host.smt", r"vm\[0\]\.count is neither true nor false"),
        ("vm.disk * 2 == 1", r"at vm\.disk=native \(vm\.disk is no number\)"),
        ("vm.disk < 3", "not supported"),
        ("host.smt + 1 > 1", r"\(host\.smt is no number\)"),
        ("1 / (vm[0].count - 1) > 0", "division by zero"),
    ],
)
def test_a_condition_that_cannot_be_worked_out_says_where(condition, says):
    with pytest.raises(ParameterError, match=says):
        kept(condition)


def test_a_condition_that_excludes_every_point_is_an_error():
    with pytest.raises(ParameterError, match=r"met by at least one of the 16 points, got 'vm\[0\]"):
        kept("vm[0].count > 100")
    with pytest.raises(ParameterError, match="of the 8 points that meet the conditions before it"):
        where(POINTS, "host.smt", "not host.smt")


@given(st.integers(-5, 5), st.integers(-5, 5), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
def test_comparisons_are_those_of_python(a, b, sign):
    expected = eval(f"{a} {sign} {b}")
    condition = f"a.b {sign} c[1].d or a.b == 99"
    found = where([{"a.b": a, "c[1].d": b}, {"a.b": 99, "c[1].d": 0}], condition)
    assert (len(found) == 2) is expected
