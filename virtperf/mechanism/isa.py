"""Instruction sets as Popek and Goldberg ask about them: what is sensitive, and what of it traps.

The facts are data, in ``models/isas.toml``; this module reads them and answers the question.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from virtperf import catalog
from virtperf.errors import ScenarioError, UnknownNameError

_FILE = "isas.toml"
_CHECKED = ("read", "recalled-high", "recalled-medium", "recalled-low", "own")  # as in params
_TRAPS = ("traps", "silently-differs", "leaks", "same")
_ISA_FIELDS = {
    "title": str,
    "source": str,
    "checked": str,
    "rings": str,
    "kernel_bits": int,
    "segment_limit_bits": int,
    "instructions": dict,
}
_LISTS = {"rings", "kernel_bits", "segment_limit_bits", "instructions", "touches"}
_INSTRUCTION_FIELDS = {"mnemonic": str, "traps": str, "touches": str, "why": str, "group": str}
_OPTIONAL = {"group"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """An instruction, and what becomes of it where it has no privilege.

    Attributes
    ----------
    mnemonic : str
        Its name; a form in brackets where only that form is meant.
    traps : {'traps', 'silently-differs', 'leaks', 'same'}
        What happens without privilege: the monitor gets control; something else happens than in
        the kernel, or nothing; the real machine's state is read; nothing special.
    touches : tuple of str
        What of the machine's state it reads or writes.
    why : str
        The reason, in a line.
    group : str
        What a publication counts it under, else "".
    """

    mnemonic: str
    traps: str
    touches: tuple[str, ...]
    why: str
    group: str = ""

    @property
    def privileged(self) -> bool:
        """Whether it gives control to the monitor when executed without privilege."""
        return self.traps == "traps"

    @property
    def sensitive(self) -> bool:
        """Whether it reads or writes the machine's state."""
        return bool(self.touches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Isa:
    """An instruction set: its privilege levels and the instructions worth classifying.

    Attributes
    ----------
    name, title : str
        What it is called, and what it is in words.
    source, checked : str
        Where the facts come from, and whether they were read there or recalled.
    rings : tuple of str
        Privilege levels, the most privileged first.
    kernel_bits : tuple of int
        Widths of the kernels that run on it.
    segment_limit_bits : tuple of int
        Those of these widths whose segment limits are enforced.
    instructions : tuple of Instruction
        A choice, not the whole instruction set.
    """

    name: str
    title: str
    source: str
    checked: str
    rings: tuple[str, ...]
    kernel_bits: tuple[int, ...]
    segment_limit_bits: tuple[int, ...]
    instructions: tuple[Instruction, ...]

    def sensitive(self) -> tuple[Instruction, ...]:
        """Return the instructions that read or write the machine's state."""
        return tuple(one for one in self.instructions if one.sensitive)

    def privileged(self) -> tuple[Instruction, ...]:
        """Return the instructions that trap when executed without privilege."""
        return tuple(one for one in self.instructions if one.privileged)

    def innocuous(self) -> tuple[Instruction, ...]:
        """Return the instructions that are not sensitive."""
        return tuple(one for one in self.instructions if not one.sensitive)

    def offenders(self) -> tuple[Instruction, ...]:
        """Return the instructions that are sensitive and do not trap."""
        return tuple(one for one in self.sensitive() if not one.privileged)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether trap-and-emulate is enough for an instruction set, and if not, why."""

    isa: str
    offenders: tuple[Instruction, ...]

    @property
    def holds(self) -> bool:
        """Whether every sensitive instruction is privileged."""
        return not self.offenders

    def __str__(self) -> str:
        if self.holds:
            return f"{self.isa} is classically virtualizable: every sensitive instruction traps"
        count = len(self.offenders)
        do = "sensitive instruction does" if count == 1 else "sensitive instructions do"
        names = ", ".join(offender.mnemonic for offender in self.offenders)
        return f"{self.isa} is not classically virtualizable: {count} {do} not trap: {names}"


def names() -> tuple[str, ...]:
    """Return the names of all instruction sets, in the order of the file."""
    return tuple(_shipped())


def isa(name: str) -> Isa:
    """Return an instruction set by name.

    Raises
    ------
    UnknownNameError
        If there is none of that name; near matches are offered.
    """
    if name not in (known := _shipped()):
        raise UnknownNameError("ISA", name, known)
    return known[name]


def virtualizable(of: Isa) -> Verdict:
    """Answer the question of Popek and Goldberg for an instruction set.

    It is classically virtualizable if every sensitive instruction is privileged: then a monitor
    sees all that matters by running the guest without privilege. Their theorem says this is
    enough; that it is also needed holds for monitors that only trap and emulate, which is what
    "classically" means here.

    References
    ----------
    .. [1] G. J. Popek and R. P. Goldberg, "Formal requirements for virtualizable third generation
       architectures", Communications of the ACM 17(7), 1974.

    Examples
    --------
    >>> virtualizable(isa("x86-32")).holds
    False
    """
    return Verdict(of.name, of.offenders())


def parse(text: str, name: str = _FILE) -> dict[str, Isa]:
    """Read instruction sets from TOML; `name` is what an error calls the text.

    Raises
    ------
    ScenarioError
        If anything is missing, unknown or contradicts itself; all problems at once.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise ScenarioError(name, [str(wrong)]) from None
    if problems := [line for key, table in data.items() for line in _problems(key, table)]:
        raise ScenarioError(name, problems)
    return {key: _isa(key, table) for key, table in data.items()}


@cache
def _shipped() -> Mapping[str, Isa]:
    return parse(catalog.text(_FILE))


def _isa(name: str, table: Mapping[str, Any]) -> Isa:
    lists = {key: tuple(value) for key, value in table.items() if key in _LISTS}
    lists["instructions"] = tuple(
        Instruction(**{**row, "touches": tuple(row["touches"])}) for row in table["instructions"]
    )
    return Isa(name=name, **{**table, **lists})


def _problems(name: str, table: Any) -> Iterator[str]:
    """Yield what is wrong with the table of one instruction set."""
    wrong = list(_misfits(name, table, _ISA_FIELDS))
    yield from wrong
    if wrong:
        return
    if table["checked"] not in _CHECKED:
        yield f"{name}.checked must be one of {', '.join(_CHECKED)}"
    if len(table["rings"]) < 2:
        yield f"{name}.rings must be at least two privilege levels"
    if stray := set(table["segment_limit_bits"]) - set(table["kernel_bits"]):
        yield f"{name}.segment_limit_bits must be among kernel_bits, got {sorted(stray)}"
    for index, row in enumerate(table["instructions"]):
        yield from _wrong_row(f"{name}.{row.get('mnemonic', f'instructions[{index}]')}", row)
    counts = Counter(str(row.get("mnemonic")) for row in table["instructions"])
    yield from (f"{name}.{twice} must be given once" for twice, n in counts.items() if n > 1)


def _wrong_row(owner: str, row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with one instruction."""
    wrong = list(_misfits(owner, row, _INSTRUCTION_FIELDS))
    yield from wrong
    if wrong:
        return
    if row["traps"] not in _TRAPS:
        yield f"{owner}.traps must be one of {', '.join(_TRAPS)}, got {row['traps']!r}"
    elif (row["traps"] == "same") == bool(row["touches"]):
        yield f"{owner}.touches must be empty if and only if traps is 'same'"


def _misfits(owner: str, table: Any, fields: Mapping[str, type]) -> Iterator[str]:
    """Yield fields that are unknown, missing or of the wrong type."""
    if not isinstance(table, dict):
        yield f"{owner} must be a table, got {table!r}"
        return
    yield from (f"{owner}.{key} is no field" for key in table if key not in fields)
    for key, kind in fields.items():
        if key not in table:
            if key not in _OPTIONAL:
                yield f"{owner}.{key} is missing"
            continue
        value, many = table[key], key in _LISTS
        fits = isinstance(value, list) == many
        if not fits or not all(isinstance(item, kind) for item in (value if many else [value])):
            what = "a list of " if many else ""
            yield f"{owner}.{key} must be {what}{kind.__name__}, got {value!r}"
