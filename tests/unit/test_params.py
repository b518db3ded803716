import pickle

import pytest

from virtperf.errors import ParameterError, ScenarioError, UnknownNameError
from virtperf.params import ParameterSet, Quantity

GOOD = {
    "value": 2.0,
    "unit": "us",
    "source": "smith2020, table 3",
    "evidence": "measured",
    "checked": "read",
}
FILE = """
title = "A toy"
about = "It describes no machine."
based_on = "toy"

[frequency]
value = 2
unit = "GHz"
evidence = "assumed"
checked = "own"
source = "a round number"

[vm_exit]
value = 1000
low = 500
high = 2000
unit = "cycles"
evidence = "assumed"
checked = "own"
source = "a round number"
"""


def quantity(**fields):
    return Quantity(**GOOD | fields)


@pytest.fixture
def toy(tmp_path):
    file = tmp_path / "toy.toml"
    file.write_text(FILE, encoding="utf-8")
    return ParameterSet.from_toml(file)


def test_a_quantity_knows_its_base_unit():
    assert quantity().base == 2000
    assert quantity(value=4, unit="KiB").base == 4096
    assert quantity(value=8, unit="bit/s").base == 1
    assert quantity().dimension == "duration"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"unit": "parsec"}, r"Quantity\.unit must be one of ns us .*, got 'parsec'"),
        ({"source": " "}, r"Quantity\.source must be a citation or an argument, got ' '"),
        ({"evidence": "guessed"}, r"Quantity\.evidence must be one of measured .*, got 'guessed'"),
        ({"checked": "yes"}, r"Quantity\.checked must be one of read .*, got 'yes'"),
        ({"low": 3.0}, r"Quantity\.value must be within \[3, 2\], got 2\.0"),
        ({"high": 1.0}, r"Quantity\.value must be within \[2, 1\], got 2\.0"),
        ({"value": float("nan")}, r"Quantity\.value must be a finite number, got nan"),
        ({"value": "2"}, r"Quantity\.value must be a finite number, got '2'"),
        ({"value": True}, r"Quantity\.value must be a finite number, got True"),
        ({"value": None}, r"Quantity\.value must be a finite number, got None"),
        ({"high": float("inf")}, r"Quantity\.high must be a finite number, got inf"),
        ({"value": -1.0}, r"Quantity\.value must be at least 0 for a unit other than 1"),
        ({"low": -1.0}, r"Quantity\.low must be at least 0 for a unit other than 1"),
    ],
)
def test_nonsense_is_refused_by_name(fields, says):
    with pytest.raises(ParameterError, match=says):
        quantity(**fields)


def test_a_plain_number_may_be_negative():
    assert quantity(value=-0.5, unit="1").base == -0.5


def test_cycles_become_time_only_at_a_frequency():
    cycles = quantity(value=1000, unit="cycles")

    assert cycles.ns(2e9) == 500
    with pytest.raises(ParameterError, match="cycles need a frequency"):
        _ = cycles.base
    with pytest.raises(ParameterError, match=r"frequency_hz must be positive for cycles, got 0"):
        cycles.ns(0)


def test_a_duration_needs_no_frequency_and_a_size_is_no_duration():
    assert quantity().ns() == 2000
    with pytest.raises(ParameterError, match="must be a unit of time, or cycles, got 'KiB'"):
        quantity(unit="KiB").ns()


def test_a_scaled_quantity_says_so():
    scaled = quantity(low=1.0, high=4.0).scaled(0.5)

    assert (scaled.low, scaled.value, scaled.high) == (0.5, 1.0, 2.0)
    assert scaled.evidence == "derived"
    assert scaled.source == "0.5 times: smith2020, table 3"
    with pytest.raises(ParameterError, match=r"scaled\.factor must be finite and at least 0"):
        quantity().scaled(-1)


def test_all_problems_of_a_table_come_at_once_under_its_own_name():
    with pytest.raises(ScenarioError) as caught:
        Quantity.from_table("vm_exit", {"value": 1, "unit": "parsec", "sauce": "x"})

    fields = [problem.split(" must be ")[0] for problem in caught.value.problems]
    assert sorted(fields) == sorted(
        f"vm_exit.{field}" for field in ("sauce", "unit", "source", "evidence", "checked")
    )


def test_a_good_table_is_a_quantity():
    assert Quantity.from_table("vm_exit", GOOD) == quantity()


def test_a_file_is_read_with_its_words(toy):
    assert (toy.name, toy.title, toy.based_on) == ("toy", "A toy", "toy")
    assert toy.about == "It describes no machine."
    assert list(toy) == ["frequency", "vm_exit"]
    assert toy["vm_exit"].high == 2000


def test_a_set_converts_cycles_at_its_own_frequency(toy):
    assert toy.ns("vm_exit") == 500


def test_a_set_without_a_frequency_says_which_number_needs_it(toy):
    bare = ParameterSet("bare", {"vm_exit": toy["vm_exit"]})
    with pytest.raises(ParameterError, match=r"bare\.frequency must be given: vm_exit is in cycle"):
        bare.ns("vm_exit")


def test_what_is_no_time_is_refused_under_its_own_name(toy):
    with pytest.raises(ParameterError, match=r"toy\.frequency\.unit must be a unit of time"):
        toy.ns("frequency")


def test_all_problems_of_a_file_come_at_once(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text('title = 3\ncolour = "red"\n[a]\nvalue = 1\n' + FILE[FILE.index("[vm") :])
    with pytest.raises(ScenarioError) as caught:
        ParameterSet.from_toml(file)

    starts = {problem.split(" must be ")[0] for problem in caught.value.problems}
    assert starts == {"title", "colour", "a.unit", "a.source", "a.evidence", "a.checked"}
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("content", [b"[a", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_named(tmp_path, content):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(ScenarioError, match=r"bad\.toml: 1 problem\n  - is not TOML"):
        ParameterSet.from_toml(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ScenarioError, match=r"none\.toml: 1 problem\n  - cannot be read"):
        ParameterSet.from_toml(tmp_path / "none.toml")


def test_a_typo_is_answered_with_the_right_name(toy):
    with pytest.raises(UnknownNameError, match="did you mean vm_exit"):
        _ = toy["vm_exti"]
    with pytest.raises(UnknownNameError):
        toy.replace(vm_exti=toy["vm_exit"])


def test_a_changed_set_cannot_pass_for_the_original(toy):
    other = toy.replace(vm_exit=toy["vm_exit"].scaled(2)).replace(frequency=toy["frequency"])

    assert other.name == "toy*"
    assert other.title == toy.title
    assert other.ns("vm_exit") == 1000
    assert toy.ns("vm_exit") == 500


def test_a_set_crosses_a_process_pool(toy):
    copy = pickle.loads(pickle.dumps(toy))
    assert copy == toy
    assert copy.name == "toy"


def test_the_table_of_a_set_has_one_row_per_quantity(toy):
    frame = toy.to_frame()
    assert list(frame.index) == ["frequency", "vm_exit"]
    assert frame.loc["vm_exit", "unit"] == "cycles"
    assert frame.index.name == "toy"
