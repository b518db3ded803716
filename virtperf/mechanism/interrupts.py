"""What becomes of a guest's interrupt flag under a monitor: POPF, made concrete.

A tiny program runs under a kind of monitor, and two flags are kept: what the guest believes, which
is what the native processor would hold, and the virtual flag the monitor delivers by. Time is
counted in instructions. Left out: the handler takes no time and returns with the flags it found,
and STI works at once, though the processor waits one more instruction.
"""

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from virtperf.errors import ParameterError, UnknownNameError

MONITORS = ("native", "trap-emulate", "binary-translation", "paravirtual", "hardware")
OPERATIONS = ("CLI", "STI", "PUSHF", "POPF", "WORK")
_LINE = re.compile(r"(\w+)(?:\s+(\d+))?")
_REAL_FLAG = True  # a monitor keeps real interrupts on while a guest without privilege runs
_HOW = {  # what an instruction for the flag does, where it does not simply execute
    "binary-translation": "works on the virtual flag, in the code cache",
    "paravirtual": "works on the mask byte in shared memory",
    "hardware": "works on the guest's own flag",
}


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


class Event(NamedTuple):
    """What happened, after `time` instructions."""

    time: int
    what: str


class Delivery(NamedTuple):
    """An interrupt, counted from 0 in order of arrival, and when the guest got it."""

    interrupt: int
    time: int


class Violation(NamedTuple):
    """An interrupt that the guest got, or did not get, against what it believes.

    `kind` is ``"delivered-while-masked"`` or ``"pending-while-enabled"``; `cause` is the
    instruction that set the two flags apart, with its place in the program, from 0.
    """

    kind: str
    interrupt: int
    time: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a program did under a monitor.

    Attributes
    ----------
    events, deliveries, violations : tuple
        All that happened, what interrupts the guest got, and which of that it believes impossible.
    traps : int
        Instructions that gave control to the monitor; exits for interrupts are not counted.
    lost_updates : int
        POPFs whose change of the flag the monitor did not see.
    leaks : int
        PUSHFs that stored the real flag.
    pending : tuple of int
        Interrupts that were not delivered by the end.
    """

    monitor: str
    events: tuple[Event, ...]
    deliveries: tuple[Delivery, ...]
    violations: tuple[Violation, ...]
    traps: int
    lost_updates: int
    leaks: int
    pending: tuple[int, ...]


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


def run(ops: Sequence[Op], monitor: str, arrivals: Iterable[int] = ()) -> Outcome:
    """Execute a program under a monitor.

    Parameters
    ----------
    ops : sequence of Op
        The program. Interrupts are enabled at its start.
    monitor : str
        One of `MONITORS`.
    arrivals : iterable of int
        After how many instructions interrupts arrive, in any order. One that arrives at the end
        of an instruction meets the flag as that instruction left it.

    Raises
    ------
    UnknownNameError
        If there is no such monitor.
    ParameterError
        If a POPF finds nothing on the stack, or an interrupt does not arrive during the program.

    Examples
    --------
    >>> ops, arrivals = example_popf()
    >>> [violation.cause for violation in run(ops, "trap-emulate", arrivals).violations]
    ['POPF at 4']
    >>> run(ops, "binary-translation", arrivals).violations
    ()
    """
    if monitor not in MONITORS:
        raise UnknownNameError("monitor", monitor, MONITORS)
    machine = _Machine(monitor, deque(sorted(arrivals)))
    _check(ops, machine.to_come)
    machine.pass_time(0)
    for place, op in enumerate(ops):
        machine.execute(op, place)
    return machine.outcome()


@dataclass(frozen=True, slots=True)
class _Flags:
    """The guest's interrupt flag twice, and what the guest believes to have on its stack."""

    believed: bool = True
    virtual: bool = True
    stack: tuple[bool, ...] = ()

    @property
    def agree(self) -> bool:
        return self.believed == self.virtual

    def after(self, op: Op, monitor: str) -> "_Flags":
        if op.name in ("CLI", "STI"):
            return replace(self, believed=op.name == "STI", virtual=op.name == "STI")
        if op.name == "PUSHF":
            return replace(self, stack=(*self.stack, self.believed))
        if op.name == "POPF":
            *rest, popped = self.stack
            # The heart of it: without privilege POPF neither changes the flag nor traps.
            virtual = self.virtual if monitor == "trap-emulate" else popped
            return _Flags(popped, virtual, tuple(rest))
        return self


@dataclass(slots=True)
class _Machine:
    """A run in progress; `to_come` holds arrival times, earliest first."""

    monitor: str
    to_come: deque[int]
    flags: _Flags = _Flags()
    now: int = 0
    arrived: int = 0
    cause: str = ""
    pending: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    traps: int = 0
    lost_updates: int = 0
    leaks: int = 0

    def execute(self, op: Op, place: int) -> None:
        before, self.flags = self.flags, self.flags.after(op, self.monitor)
        if self.monitor == "trap-emulate":
            self._without_privilege(op, before)
        elif op.name != "WORK":
            unmasks = self.flags.virtual and not before.virtual
            checks = self.monitor == "paravirtual" and unmasks
            check = ", then checks for pending events" if checks else ""
            self._note(f"{op} {_HOW.get(self.monitor, 'executes')}{check}", self.now + 1)
        if not self.flags.agree and before.agree:
            self.cause = f"{op} at {place}"
        self.pass_time(op.count)

    def _without_privilege(self, op: Op, before: _Flags) -> None:
        """Count and note what an instruction does that may trap and be emulated, or may not."""
        done = self.now + 1
        if op.name in ("CLI", "STI"):
            self.traps += 1
            self._note(f"{op} traps, and the monitor sets the virtual flag", done)
        elif op.name == "PUSHF":
            self.leaks += 1
            self._note(f"PUSHF stores the real flag, {_REAL_FLAG:d}, no trap", done)
        elif op.name == "POPF":
            lost = self.flags.believed != before.virtual
            self.lost_updates += lost
            self._note(f"POPF changes arithmetic flags only, no trap{', update lost' * lost}", done)

    def pass_time(self, count: int) -> None:
        """Let `count` instructions pass, and interrupts arrive, with the flags as they are now."""
        end = self.now + count
        while self.to_come and self.to_come[0] <= end:
            self.now = self.to_come.popleft()
            self.pending.append(self.arrived)
            self._note(f"interrupt {self.arrived} arrives", self.now)
            self.arrived += 1
            self._settle()
        self.now = end
        self._settle()

    def _settle(self) -> None:
        """Deliver what is pending if the virtual flag is on, and compare with the belief."""
        for interrupt in self.pending:
            if self.flags.virtual:
                self.deliveries.append(Delivery(interrupt, self.now))
                self._note(f"interrupt {interrupt} is delivered", self.now)
                if not self.flags.believed:
                    self._violated("delivered-while-masked", interrupt)
            elif self.flags.believed:
                self._violated("pending-while-enabled", interrupt)
        if self.flags.virtual:
            self.pending.clear()

    def _violated(self, kind: str, interrupt: int) -> None:
        """Note a violation, once for each interrupt and cause, however long it lasts."""
        known = {(one.kind, one.interrupt, one.cause) for one in self.violations}
        if (kind, interrupt, self.cause) not in known:
            self.violations.append(Violation(kind, interrupt, self.now, self.cause))
            self._note(f"violation: interrupt {interrupt} {kind}, by {self.cause}", self.now)

    def _note(self, what: str, time: int) -> None:
        self.events.append(Event(time, what))

    def outcome(self) -> Outcome:
        return Outcome(
            monitor=self.monitor,
            events=tuple(self.events),
            deliveries=tuple(self.deliveries),
            violations=tuple(self.violations),
            traps=self.traps,
            lost_updates=self.lost_updates,
            leaks=self.leaks,
            pending=tuple(self.pending),
        )


def _check(ops: Sequence[Op], arrivals: Sequence[int]) -> None:
    """Refuse a program that pops what it did not push, and interrupts outside of it."""
    depth = 0
    for place, op in enumerate(ops):
        depth += {"PUSHF": 1, "POPF": -1}.get(op.name, 0)
        if depth < 0:
            raise ParameterError("run", "ops", "pushing before it pops", f"POPF at {place}")
    length = sum(op.count for op in ops)
    for time in arrivals:
        if not 0 <= time <= length:
            raise ParameterError("run", "arrivals", f"within 0 to {length}", time)
