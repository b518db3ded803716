"""The question of Popek and Goldberg, and a data file that cannot be wrong unnoticed."""

import re
from typing import get_args

import pytest

from virtperf import catalog
from virtperf.errors import ScenarioError, UnknownNameError
from virtperf.mechanism import isa as isas
from virtperf.mechanism.isa import isa, names, parse, virtualizable
from virtperf.params import Checked

TOY = """
[toy]
title = "a toy"
source = "an invention"
checked = "own"
rings = ["kernel", "user"]
kernel_bits = [32]
segment_limit_bits = []
instructions = [
  { mnemonic = "HALT", traps = "traps", touches = ["processor state"], why = "stops" },
  { mnemonic = "ADD", traps = "same", touches = [], why = "adds" },
]
"""
EACH = pytest.mark.parametrize("name", names())


def test_an_instruction_set_whose_sensitive_instructions_all_trap_is_virtualizable():
    verdict = virtualizable(parse(TOY)["toy"])

    assert verdict.holds
    assert str(verdict) == "toy is classically virtualizable: every sensitive instruction traps"


def test_one_offender_is_enough_and_is_named():
    text = TOY.replace('traps = "traps"', 'traps = "leaks"')

    verdict = virtualizable(parse(text)["toy"])

    assert not verdict.holds
    assert str(verdict).endswith("1 sensitive instruction does not trap: HALT")


def test_the_offenders_of_x86_32_are_the_list_of_robin_and_irvine():
    offenders = isa("x86-32").offenders()

    assert {one.mnemonic.split(" (")[0] for one in offenders} == {
        *("SGDT", "SIDT", "SLDT", "SMSW", "PUSHF", "POPF"),
        *("LAR", "LSL", "VERR", "VERW", "POP", "PUSH", "CALL", "JMP", "INT n", "RET", "STR", "MOV"),
    }


def test_the_offenders_of_x86_32_are_eighteen_names_in_seventeen_groups():
    offenders = isa("x86-32").offenders()

    assert len(offenders) == 18
    assert len({one.group for one in offenders}) == 17
    assert all(one.group for one in offenders)
    assert not any(one.group for one in isa("x86-32").privileged())


def test_of_what_ships_system_370_alone_is_virtualizable_by_traps():
    assert [name for name in names() if virtualizable(isa(name)).holds] == ["s370"]


@EACH
def test_privileged_offenders_and_innocuous_are_all_there_is(name):
    of = isa(name)

    parts = (*of.privileged(), *of.offenders(), *of.innocuous())

    assert sorted(map(str, parts)) == sorted(map(str, of.instructions))
    assert of.innocuous()


@EACH
def test_the_source_of_an_instruction_set_is_in_the_bibliography(name):
    assert re.match(r"[\w-]+", isa(name).source).group() in catalog.bibliography()


@pytest.mark.parametrize(("name", "masking"), [("x86-32", "CLI"), ("x86-64", "CLI")])
def test_masking_interrupts_traps_where_restoring_the_flag_does_not(name, masking):
    traps = {one.mnemonic: one.traps for one in isa(name).instructions}

    assert (traps[masking], traps["POPF"], traps["PUSHF"]) == ("traps", "silently-differs", "leaks")


def test_on_armv7_not_even_masking_interrupts_traps():
    assert "CPS" in {one.mnemonic for one in isa("armv7").offenders()}


def test_an_unknown_name_is_answered_with_the_right_one():
    with pytest.raises(UnknownNameError, match="no ISA named 'x86_64'; did you mean x86-64"):
        isa("x86_64")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "a toy"', "", "toy.title is missing"),
        ('title = "a toy"', "title = 1", "toy.title must be str, got 1"),
        ('title = "a toy"', 'titel = ""\ntitle = ""', "toy.titel is no field"),
        ('checked = "own"', 'checked = "yes"', "toy.checked must be one of read"),
        ('["kernel", "user"]', '["kernel"]', "toy.rings must be at least two"),
        ('["kernel", "user"]', '"kernel"', "toy.rings must be a list of str, got 'kernel'"),
        ("segment_limit_bits = []", "segment_limit_bits = [64]", "must be among kernel_bits"),
        ('traps = "traps"', 'traps = "never"', "toy.HALT.traps must be one of traps"),
        ('traps = "traps"', 'traps = "same"', "toy.HALT.touches must be empty if and only if"),
        ('why = "stops"', 'wy = "stops"', "toy.HALT.wy is no field"),
        ('mnemonic = "HALT"', 'name = "HALT"', "toy.instructions[0].mnemonic is missing"),
        ('mnemonic = "HALT"', 'mnemonic = "ADD"', "toy.ADD must be given once"),
        ("[toy]", "toy = 1\n[other]", "toy must be a table, got 1"),
        ("[toy]", "[toy", "isas.toml: 1 problem"),
    ],
)
def test_a_broken_file_is_refused_in_words(old, new, says):
    with pytest.raises(ScenarioError, match=re.escape(says)):
        parse(TOY.replace(old, new))


def test_all_problems_are_told_at_once():
    text = TOY.replace('"own"', '"yes"').replace('"same"', '"maybe"').replace("why", "because", 1)

    with pytest.raises(ScenarioError) as refused:
        parse(text, "mine.toml")

    assert str(refused.value).startswith("mine.toml: 4 problems")
    assert len(refused.value.problems) == 4


def test_the_words_for_having_checked_are_those_of_all_parameters():
    assert get_args(Checked) == isas._CHECKED
