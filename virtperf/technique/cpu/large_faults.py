"""First uses of memory by a guest that maps it in large pages: one fault for many, all cleared.

Of a workload's true page faults those are first uses that come with fresh pages: used in order,
512 of them fall into a large page of 2 MiB, which the guest's kernel maps and clears at the first.
By that it uses each of the host's pages below, which the host gives there and then.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from virtperf.path import Step, Transition
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.code import Code

if TYPE_CHECKING:
    from virtperf.technique.cpu import CpuTechnique
    from virtperf.technique.memory import MemoryTechnique

GUEST_PAGES, HOST_PAGES = "guest_pages", "host_pages"  # of 4 KiB, in one of theirs
WORDS = 512  # of 8 bytes in 4 KiB: what a kernel stores that clears them


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeFaults:
    """Faults of a unit upon which a guest maps a large page.

    Attributes
    ----------
    pages : float
        Fresh pages of 4 KiB of a unit whose first use is a fault: what large faults stand for.
    guest, host : int
        Pages of 4 KiB in one of the guest's, and in one of the host's.
    clear_ns : float
        Time to clear all of a guest's page but its first 4 KiB, which are part of the fault.
    """

    pages: float
    guest: int
    host: int
    clear_ns: float

    @property
    def number(self) -> float:
        """Faults per unit."""
        return self.pages / self.guest

    @property
    def given(self) -> int:
        """Host's pages that a fault has given; 0 where larger ones come by themselves."""
        return self.guest // self.host if self.guest >= self.host else 0

    def touches(self, memory: "MemoryTechnique") -> int:
        """Return the entries that a technique fills for a page beyond the first, one by one."""
        leaf = self.guest
        if memory.dimensions == 0:
            leaf = 1
        elif memory.follows_host:
            leaf = min(self.guest, self.host)
        return self.guest // leaf - 1

    def steps(self, code: Code, cpu: "CpuTechnique", memory: "MemoryTechnique") -> list[Step]:
        """Return what one fault takes; `code` is the unit's, whose kernel's part clears."""
        stores = (self.guest - 1) * WORDS
        clears = replace(
            code,
            user_ns=0.0,
            user=0.0,
            kernel_ns=self.clear_ns,
            kernel=stores,
            memory_share=1.0,
            indirect_share=0.0,
            float_share=0.0,
        )
        found = [*_expanded(memory, "page_fault", 1, cpu), *cpu.code(clears, "vcpu")]
        found += _expanded(memory, "first_touch", self.touches(memory), cpu)
        return found + _expanded(memory, "fresh_page", self.given, cpu)


def large_faults(costs: Costs, faults: float, fresh: float) -> LargeFaults | None:
    """Return the large faults of a workload; None where the guest's pages are of 4 KiB."""
    guest = costs.count(GUEST_PAGES) if GUEST_PAGES in costs else 1
    pages = min(faults, fresh)
    if guest == 1 or not pages:
        return None
    return LargeFaults(
        pages=pages,
        guest=guest,
        host=costs.count(HOST_PAGES) if HOST_PAGES in costs else 1,
        clear_ns=(guest - 1) * costs.ns("clear_page"),
    )


def _expanded(
    memory: "MemoryTechnique", operation: str, number: int, cpu: "CpuTechnique"
) -> list[Step]:
    found: list[Step] = []
    for part in getattr(memory, operation)() if number else ():
        steps = cpu.expand(part, "vcpu") if isinstance(part, Transition) else (part,)
        found += [step if number == 1 else step.repeated(number) for step in steps]
    return found
