"""Direct execution: the guest is the machine, or a container on it. No transition costs anything.

What the bare machine itself pays for an interrupt or for leaving its idle state is in the
measured CPU time and latency of the native path; charging it here would count it twice.
"""

from collections.abc import Mapping

from virtperf.path import ConsumerState, Path, Ringing, Step, Transition
from virtperf.technique.costs import Costs


class Direct:
    """Direct execution (see `CpuTechnique`)."""

    def __init__(self, costs: Costs) -> None:
        del costs  # nothing is crossed, so nothing is priced

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return no steps: there is no hypervisor to cross to."""
        return ()

    def delivery(self) -> Mapping[ConsumerState, Ringing]:
        """Return no costs: the interrupt is the kernel's own."""
        return {}

    def halted(self) -> Path:
        """Return no steps."""
        return ()

    def handled(self) -> Path:
        """Return no steps."""
        return ()
