"""Direct execution: the guest is the machine, or a container on it. There is nothing to cross.

What is left of the transitions is what the bare machine pays too: the switch to another process.
What the bare machine itself pays for an interrupt or for leaving its idle state is in the
measured CPU time and latency of the native path; charging it here would count it twice.
"""

from collections.abc import Mapping

from virtperf.path import ConsumerState, Path, Ringing, Step, Transition
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.code import Code
from virtperf.technique.cpu.native import native, plain_code, process_switch


class Direct:
    """Direct execution (see `CpuTechnique`)."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return no steps but those of a process switch: there is no hypervisor to cross to."""
        if transition.name == "kernel":
            return (native(self._costs, transition.reason, where),)
        if transition.name == "switch":
            return (process_switch(self._costs, where),)
        return ()

    def code(self, code: Code, where: str) -> tuple[Step, ...]:
        """Return the instructions as they are."""
        return plain_code(where, code.user_ns, code.kernel_ns)

    def operation(self, name: str, where: str) -> tuple[Step, ...]:
        """Return the native cost."""
        return (native(self._costs, name, where),)

    def delivery(self) -> Mapping[ConsumerState, Ringing]:
        """Return no costs: the interrupt is the kernel's own."""
        return {}

    def expiry(self) -> Mapping[ConsumerState, Ringing]:
        """Return no costs: the timer is the machine's own."""
        return {}

    def halted(self) -> Path:
        """Return no steps."""
        return ()

    def handled(self) -> Path:
        """Return no steps."""
        return ()
