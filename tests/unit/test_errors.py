import pickle

import pytest

from virtperf.errors import (
    ImportFileError,
    LedgerError,
    OutputError,
    ParameterError,
    ScenarioError,
    SimulationError,
    UnknownNameError,
    VirtperfError,
)

ERRORS = [
    (ParameterError("Tlb", "entries", "at least 1", 0), ValueError),
    (UnknownNameError("platform", "tyo", ["toy", "x86"]), KeyError),
    (ScenarioError("web.toml", ["a must be b", "c must be d"]), ValueError),
    (ImportFileError("fio.json", "has no jobs"), ValueError),
    (LedgerError("3 ticks are missing"), RuntimeError),
    (SimulationError("nothing left to do"), RuntimeError),
    (OutputError("out/", "is not a directory"), OSError),
]
EACH = pytest.mark.parametrize(
    ("error", "builtin"), ERRORS, ids=lambda value: getattr(value, "__name__", "")
)


@EACH
def test_an_error_is_also_the_builtin_it_resembles(error, builtin):
    assert isinstance(error, VirtperfError)
    assert isinstance(error, builtin)


@EACH
def test_an_error_crosses_a_process_pool_unharmed(error, builtin):
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_an_impossible_parameter_is_named_with_its_rule_and_value():
    error = ParameterError("vm[0]", "vcpus", "at least 1", 0)

    assert str(error) == "vm[0].vcpus must be at least 1, got 0"
    assert (error.owner, error.field, error.must, error.got) == ("vm[0]", "vcpus", "at least 1", 0)


def test_a_typo_is_answered_with_the_right_name_and_without_quotes():
    known = iter(["world_switch", "memory_access"])

    assert str(UnknownNameError("parameter of toy", "world_swich", known)) == (
        "no parameter of toy named 'world_swich'; did you mean world_switch?"
    )


def test_a_name_like_no_other_is_answered_with_all_names():
    assert str(UnknownNameError("kind", "zzz", ["b", "a"])).endswith("did you mean a, b?")


def test_an_empty_registry_is_not_offered_as_a_hint():
    assert str(UnknownNameError("platform", "toy", [])) == (
        "no platform named 'toy'; there are none"
    )


def test_a_wrong_file_shows_all_its_problems_one_per_line():
    assert str(ScenarioError("web.toml", ["a is wrong", "b is wrong"])) == (
        "web.toml: 2 problems\n  - a is wrong\n  - b is wrong"
    )
    assert str(ScenarioError("web.toml", ["a is wrong"])).startswith("web.toml: 1 problem\n")


def test_a_file_that_cannot_be_read_or_written_is_named():
    assert str(ImportFileError("fio.json", "has no jobs")) == "fio.json: has no jobs"
    assert str(OutputError("out", "is a file")) == "out: is a file"
