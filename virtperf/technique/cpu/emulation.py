"""Emulation of another ISA: by interpretation, by dynamic, or by static binary translation.

The guest's instructions are not the machine's, so each becomes several: fetched and decoded every
time (interpreter), translated block by block when first executed and kept in a code cache
(dynamic), or translated as a whole before the start (static). Its loads and stores go through a
software TLB. No instruction of the guest has a privilege here, so nothing traps: a privileged
operation is a call of a helper.
"""

from virtperf.path import Step, Transition, leave, work
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.code import Code
from virtperf.technique.cpu.handed_on import HandedOn
from virtperf.technique.cpu.native import further, native
from virtperf.technique.cpu.translation import rates

TRANSLATED, INTERPRETED = "vcpu: translated code", "vcpu: interpreter"
SOFTMMU, DISPATCH = "vcpu: softmmu", "vcpu: dispatch of blocks"
TRANSLATION, HELPER = "vcpu: translation", "vcpu: emulator helper"

NO_HELPER = ("return", "masked_interrupt")  # what is pending is looked at after each block


def expanded(costs: Costs, code: Code) -> float:
    """Return what translated code takes, in ns: floating point is emulated in software."""
    times = (1 - code.float_share) * costs.share("translated_expansion")
    if code.float_share:
        times += code.float_share * costs.share("translated_float_expansion")
    return code.ns * times


class _Emulator(HandedOn):
    """What all three have in common: helpers; interrupts are noticed at the end of a block."""

    slower, account = "translated_expansion", TRANSLATED

    def _helper(self, where: str, reason: str) -> Step:
        ns = self._costs.ns("emulator_helper")
        return work(where, ns, HELPER, masked=True, counts=f"helpers.{reason}")

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return the helper's call that a crossing is; a fault handed on is a jump."""
        if transition.name == "reflect":
            return ()
        if transition.name == "kernel":
            return (self._own(transition.reason, where),)
        helper = self._helper(where, transition.reason)
        if transition.name == "switch":
            return (helper, self._own("address_space", where))
        blocks = transition.to == "blocking"  # the device model is in the same process
        return (helper, *(further(self._costs, transition, where) if blocks else ()))

    def _own(self, operation: str, where: str) -> Step:
        """Return what the machine would take for an operation, as many times longer."""
        ns = native(self._costs, operation, where).cost.mean * self._costs.share(self.slower)
        return work(where, ns, self.account)

    def _slept(self, name: str, where: str) -> tuple[Step, ...]:
        """Return what a halt takes, which blocks in the host; nothing for other operations."""
        if name != "halt":
            return ()
        return (*self.expand(leave("hlt", "blocking"), where), self._own(name, where))

    def _accesses(self, code: Code, where: str) -> Step:
        """Return what the software TLB takes, hits and misses together."""
        per_access = code.memory_share * self._costs.share("softmmu_instructions")
        return work(where, code.ns * per_access, SOFTMMU)


class Interpreter(_Emulator):
    """Interpretation: fetch, decode and carry out each instruction, each time."""

    slower, account = "interpreter_expansion", INTERPRETED

    def code(self, code: Code, where: str) -> tuple[Step, ...]:
        """Return the interpreter's work; the software TLB is part of it."""
        ns = code.ns * self._costs.share("interpreter_expansion")
        return (work(where, ns, INTERPRETED),)

    def operation(self, name: str, where: str) -> tuple[Step, ...]:
        """Return an operation, interpreted as all else."""
        return self._slept(name, where) or (self._own(name, where),)


class Dynamic(_Emulator):
    """Dynamic binary translation, block by block, as QEMU's TCG does it."""

    def code(self, code: Code, where: str) -> tuple[Step, ...]:
        """Return translated code, memory accesses, dispatch, and what is translated again."""
        costs, blocks, rate = self._costs, code.instructions / code.block, rates(code, self._costs)
        found = rate.dispatched * costs.ns("dispatch") + rate.looked_up * costs.ns("jump_cache")
        again = rate.translated * costs.ns("translate_instruction")
        return (
            work(where, expanded(costs, code), TRANSLATED),
            self._accesses(code, where),
            work(where, blocks * found, DISPATCH),
            work(where, blocks * again, TRANSLATION),
        )

    def operation(self, name: str, where: str) -> tuple[Step, ...]:
        """Return an operation as the translated code it is, and the helper it calls."""
        if slept := self._slept(name, where):
            return slept
        own = self._own(name, where)
        return (own,) if name in NO_HELPER else (own, self._helper(where, name))


class Static(Dynamic):
    """Static binary translation: the whole image before the start, and nothing afterwards.

    It knows no run: code that is never executed is translated too, and where an indirect branch
    goes to what no analysis foresaw, an interpreter has to help.
    """

    def code(self, code: Code, where: str) -> tuple[Step, ...]:
        """Return translated code, memory accesses, look-ups, and the interpreter's share."""
        costs, indirect = self._costs, code.instructions / code.block * code.indirect_share
        unforeseen = indirect * costs.share("unforeseen_targets")
        per_instruction = code.ns / code.instructions if code.instructions else 0.0
        helped = unforeseen * code.block * per_instruction * costs.share("interpreter_expansion")
        return (
            work(where, expanded(costs, code), TRANSLATED),
            self._accesses(code, where),
            work(where, indirect * costs.ns("jump_cache"), DISPATCH),
            work(where, helped, INTERPRETED),
        )
