"""What becomes of a guest's interrupt flag under a monitor: POPF, made concrete.

A tiny program runs under a kind of monitor, and two flags are kept: what the guest believes, which
is what the native processor would hold, and the virtual flag the monitor delivers by. Time is
counted in instructions. Left out: the handler takes no time and returns with the flags it found,
and STI works at once, though the processor waits one more instruction.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.mechanism.flag_outcome import Delivery, Event, FlagsAt, Outcome, Violation
from virtperf.mechanism.flag_program import OPERATIONS, Op, example_popf, program

__all__ = [
    "MONITORS",
    "OPERATIONS",
    "Delivery",
    "Event",
    "FlagsAt",
    "Op",
    "Outcome",
    "Violation",
    "example_popf",
    "program",
    "run",
]

MONITORS = ("native", "trap-emulate", "binary-translation", "paravirtual", "hardware")
_REAL_FLAG = True  # a monitor keeps real interrupts on while a guest without privilege runs
_HOW = {  # what an instruction for the flag does, where it does not simply execute
    "binary-translation": "works on the virtual flag, in the code cache",
    "paravirtual": "works on the mask byte in shared memory",
    "hardware": "works on the guest's own flag",
}


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
    machine.begin()
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

    def at(self, time: int) -> FlagsAt:
        return FlagsAt(time, self.believed, self.virtual)

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
    """A run in progress; its times count guest instructions, the earliest arrival comes first."""

    monitor: str
    to_come: deque[int]
    flags: _Flags = _Flags()
    now: int = 0
    cause: str = ""
    arrivals: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    history: list[FlagsAt] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    traps: int = 0
    lost_updates: int = 0
    leaks: int = 0

    def begin(self) -> None:
        """Take note of the flags at the start, and of interrupts that are there already."""
        self._remember(0)
        self.pass_time(0)

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
        self._remember(self.now + 1)
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
            self.pending.append(len(self.arrivals))
            self._note(f"interrupt {len(self.arrivals)} arrives", self.now)
            self.arrivals.append(self.now)
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

    def _remember(self, time: int) -> None:
        """Keep the flags as they are from `time` on, if that is news."""
        now = self.flags.at(time)
        if not self.history or self.history[-1][1:] != now[1:]:
            self.history.append(now)

    def _note(self, what: str, time: int) -> None:
        self.events.append(Event(time, what))

    def outcome(self) -> Outcome:
        end = self.flags.at(self.now)
        return Outcome(
            monitor=self.monitor,
            events=tuple(self.events),
            deliveries=tuple(self.deliveries),
            violations=tuple(self.violations),
            arrivals=tuple(self.arrivals),
            flags=(*(one for one in self.history if one.time < end.time), end),
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
