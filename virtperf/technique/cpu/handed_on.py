"""Interrupts that come to a hypervisor in software, which hands them on to the guest."""

from collections.abc import Mapping

from virtperf.path import ConsumerState, Path, Ringing, leave
from virtperf.technique.costs import Costs


class HandedOn:
    """What techniques without hardware for it have in common about interrupts and sleep.

    Parameters
    ----------
    costs : Costs
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def delivery(self) -> Mapping[ConsumerState, Ringing]:
        """Return what an interrupt costs: a sleeper is woken, who runs is stopped for it."""
        return {
            "asleep": Ringing(delay=self._costs.ns("thread_wake_delay")),
            "other": Ringing(target=(leave("interrupt", "kernel"),)),
        }

    def expiry(self) -> Mapping[ConsumerState, Ringing]:
        """Return the same: a timer's interrupt is one."""
        return self.delivery()

    def halted(self) -> Path:
        """Return the way into the hypervisor, which blocks."""
        return (leave("hlt", "blocking"),)

    def handled(self) -> Path:
        """Return what the write that ends an interrupt takes."""
        return (leave("eoi", "kernel"),)
