"""How memory is virtualized, as far as the CPU meets it: a technique names transitions.

It does not price them: the same object costs one thing under binary translation and another under
hardware assistance. What its page tables make of TLBs and walks, `build.translation` has run.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.path import Path
from virtperf.technique import matrix
from virtperf.technique.costs import Costs
from virtperf.technique.memory.direct import DirectTables
from virtperf.technique.memory.native import Native
from virtperf.technique.memory.nested import Nested
from virtperf.technique.memory.shadow import Shadow
from virtperf.technique.memory.softmmu import Softmmu
from virtperf.technique.memory.tlb_emulation import TlbEmulation


class MemoryTechnique(Protocol):
    """What a VM's memory technique answers, each with a path on the vCPU.

    Attributes
    ----------
    flushes_others : bool
        Whether the hypervisor, asked for a flush, flushes the other vCPUs that run by itself;
        else the guest's kernel interrupts them.
    dimensions : int
        Of a walk by hardware: of one table, the guest's or its shadow (1), of the guest's and the
        host's (2); 0 where software looks addresses up.
    follows_host : bool
        Whether that one table's entries are no larger than the host's pages: a hypervisor's own.
    """

    flushes_others: bool
    dimensions: int
    follows_host: bool

    def page_fault(self) -> Path:
        """Return a true page fault: one the guest's kernel handles, until the access succeeds."""

    def first_touch(self) -> Path:
        """Return the first access to a page that the guest has mapped, beyond a TLB miss."""

    def pte_write(self) -> Path:
        """Return the guest's update of one page-table entry."""

    def tlb_flush(self) -> Path:
        """Return what it takes to drop one page's translation from this vCPU's TLB."""

    def address_space(self) -> Path:
        """Return the guest's load of another address space."""

    def fresh_page(self) -> Path:
        """Return the first use of a page that the host has not given yet, beyond the guest's."""

    def host_page_in(self) -> Path:
        """Return the CPU time of an access to a page that the host has paged out."""

    def page_in(self) -> Path:
        """Return the CPU time of a major fault of the guest that takes another page away."""


_TECHNIQUES: Mapping[str, Callable[[Costs], MemoryTechnique]] = {
    "native": Native,
    "softmmu": Softmmu,
    "tlb-emulation": TlbEmulation,
    "shadow": Shadow,
    "direct": DirectTables,
    "nested": Nested,
}


def default_memory(cpu: str, costs: Costs) -> str:
    """Return the memory technique that goes with a CPU technique on this platform.

    Hardware assistance came some years before nested paging did: without it, shadow tables.
    """
    name = matrix.default_memory(cpu)
    return "shadow" if name == "nested" and not costs.count("nested_paging") else name


def memory_technique(name: str, costs: Costs) -> MemoryTechnique:
    """Return the memory technique `name`, priced by `costs`.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    ParameterError
        If the platform's hardware does not have it.
    """
    if name not in _TECHNIQUES:
        raise UnknownNameError("memory technique", name, _TECHNIQUES)
    if name == "nested" and not costs.count("nested_paging"):
        must = "other than nested: this platform's processors do not walk two tables"
        raise ParameterError("memory", "technique", must, name)
    return _TECHNIQUES[name](costs)
