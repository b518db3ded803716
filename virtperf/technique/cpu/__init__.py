"""How the CPU is virtualized: a technique prices the transitions that other paths name."""

from collections.abc import Callable, Mapping
from typing import Protocol

from virtperf.errors import UnknownNameError
from virtperf.path import ConsumerState, Path, Ringing, Step, Transition
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.binary_translation import BinaryTranslation
from virtperf.technique.cpu.code import Code
from virtperf.technique.cpu.direct import Direct
from virtperf.technique.cpu.emulation import Dynamic, Interpreter, Static
from virtperf.technique.cpu.hardware import Hardware
from virtperf.technique.cpu.nested_hardware import NestedHardware
from virtperf.technique.cpu.paravirtual import Paravirtual
from virtperf.technique.cpu.trap_emulate import TrapEmulate


class CpuTechnique(Protocol):
    """What a VM's CPU technique answers."""

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return the steps a transition costs on the worker `where`."""

    def code(self, code: Code, where: str) -> tuple[Step, ...]:
        """Return the steps that the guest's own instructions take."""

    def operation(self, name: str, where: str) -> tuple[Step, ...]:
        """Return the steps of one operation of `operations.OPERATIONS`, native cost included."""

    def delivery(self) -> Mapping[ConsumerState, Ringing]:
        """Return what an interrupt costs the vCPU it is for, by what that vCPU is doing."""

    def expiry(self) -> Mapping[ConsumerState, Ringing]:
        """Return what it costs a vCPU that its own timer goes off, by what it is doing."""

    def halted(self) -> Path:
        """Return what it costs a vCPU to be put to sleep and woken, paid when it wakes."""

    def handled(self) -> Path:
        """Return what it costs to tell the interrupt controller that an interrupt is handled."""


_TECHNIQUES: Mapping[str, Callable[[Costs], CpuTechnique]] = {
    "direct": Direct,
    "interpreter": Interpreter,
    "dbt": Dynamic,
    "static": Static,
    "trap-emulate": TrapEmulate,
    "binary-translation": BinaryTranslation,
    "paravirtual": Paravirtual,
    "hardware": Hardware,
    "nested-hardware": NestedHardware,
}


def cpu_technique(name: str, costs: Costs) -> CpuTechnique:
    """Return the CPU technique `name`, priced by `costs`.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    if name not in _TECHNIQUES:
        raise UnknownNameError("CPU technique", name, _TECHNIQUES)
    return _TECHNIQUES[name](costs)
