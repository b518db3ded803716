"""The little programs whose interrupt flag is watched: their language, and the classic one."""

import re
from dataclasses import dataclass

from virtperf.errors import ParameterError, UnknownNameError

OPERATIONS = ("CLI", "STI", "PUSHF", "POPF", "WORK")
_LINE = re.compile(r"(\w+)(?:\s+(\d+))?")


@dataclass(frozen=True, slots=True)
class Op:
    """An instruction of the tiny machine; WORK stands for `count` innocuous ones."""

    name: str
    count: int = 1

    def __post_init__(self) -> None:
        if self.name not in OPERATIONS:
            raise UnknownNameError("operation", self.name, OPERATIONS)
        if self.count < 1 or (self.count > 1 and self.name != "WORK"):
            raise ParameterError("Op", "count", "at least 1, and 1 for all but WORK", self.count)

    def __str__(self) -> str:
        return f"WORK {self.count}" if self.name == "WORK" else self.name


def program(text: str) -> tuple[Op, ...]:
    """Read a program: operations separated by ``;`` or line ends.

    Raises
    ------
    UnknownNameError, ParameterError
        If a line is no operation of this machine.

    Examples
    --------
    >>> [str(op) for op in program("cli; work 3; sti")]
    ['CLI', 'WORK 3', 'STI']
    """
    ops = []
    for line in filter(None, map(str.strip, re.split(r"[;\n]", text))):
        if (found := _LINE.fullmatch(line)) is None:
            raise ParameterError("program", "line", "an operation, or WORK and a number", line)
        ops.append(Op(found[1].upper(), int(found[2] or 1)))
    return tuple(ops)


def example_popf() -> tuple[tuple[Op, ...], tuple[int, ...]]:
    """Return the classic program and when its interrupt arrives, for `run`.

    Code that runs with interrupts masked saves the flags, lets interrupts in for a while, restores
    the flags, and so believes them masked again. The interrupt comes after that, before the STI.
    """
    return program("cli; pushf; sti; work 2; popf; work 4; sti; work 1"), (8,)
