"""Shadow page tables: the hypervisor keeps the tables that the hardware walks.

It watches the guest's page-table pages, which are write-protected, and fills a shadow entry when an
access first needs it. A true fault therefore comes twice: once for the guest's kernel to map the
page, and once more, hidden from it, for the hypervisor to copy that into the shadow.
"""

from virtperf.path import Path, Transition, leave, work
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.sequence import sequence_ns
from virtperf.technique.memory.host_fault import page_in, zeroed
from virtperf.technique.memory.native import own

ACCOUNT = "vcpu: shadow paging"

WALK = """
    mov  edi, [vcpu.cr3]
    mov  eax, [edi + l4]        ; the guest's tables, level by level, each entry checked,
    test eax, PRESENT           ; and its frame translated to the machine's
    jz   true_fault
    look_up the frame of the next table
    mov  eax, [edi + l3]
    test eax, PRESENT
    jz   true_fault
    look_up the frame of the next table
    mov  eax, [edi + l2]
    test eax, PRESENT
    jz   true_fault
    look_up the frame of the next table
    mov  eax, [edi + l1]
    test eax, PRESENT
    jz   true_fault
    look_up the frame of the next table
"""
"""Is a fault the guest's own, or hidden: a walk of its tables by software."""

FILL = """
    mov  ecx, [shadow.l1]
    and  eax, FLAGS
    or   eax, ebx
    mov  [ecx + index], eax
    inc  [shadow.entries]
"""
"""Write the shadow entry."""


UPDATE = """
    look_up the shadow of this table
    test rbx, PRESENT           ; an entry that was never shadowed is filled when it is used
    jz   was_empty
    look_up the machine's frame of the new entry
    and  rax, FLAGS
    or   rax, rbx
    mov  rdx, rsi
    and  rdx, OFFSET
    mov  [rcx + rdx], rax
    mov  rax, [rdi + linear]
    add  [vcpu.stale], 1        ; its translation is dropped before the guest goes on
    mov  [vcpu.stale_page], rax
"""
"""Let the shadow of an entry follow a write to it."""


DROP = """
    look_up the shadow of this page
    mov  [ecx + index], 0
    dec  [shadow.entries]
"""
"""Drop the shadow entry of a page."""


class Shadow:
    """Shadow page tables (see `MemoryTechnique`)."""

    flushes_others = False
    dimensions = 1
    follows_host = True

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def _software(self, listing: str) -> Path:
        return (work("vcpu", sequence_ns(self._costs, listing), ACCOUNT),)

    def page_fault(self) -> Path:
        """Return the true fault, reflected to the guest, and the hidden one that follows it."""
        return (
            leave("page-fault", "kernel"),
            *self._software(WALK),
            Transition(name="reflect", reason="page-fault"),
            *own("page_fault"),
            *self.first_touch(),
        )

    def first_touch(self) -> Path:
        """Return the hidden fault that copies the entry into the shadow."""
        return (leave("hidden-fault", "kernel"), *self._software(WALK + FILL))

    def pte_write(self) -> Path:
        """Return a write to a page that is watched, and the shadow brought up to date."""
        return (Transition(name="trace", reason="pte-write"), *self._software(UPDATE))

    def tlb_flush(self) -> Path:
        """Return the trapped INVLPG: the shadow's entry goes too."""
        return (leave("invlpg", "kernel"), *self._software(DROP), *own("tlb_flush"))

    def address_space(self) -> Path:
        """Return the load of CR3, which only the hypervisor may do: it takes another shadow."""
        return (
            leave("cr3-load", "kernel"),
            *self._software(FILL),
            *own("address_space"),
        )

    def fresh_page(self) -> Path:
        """Return the host's allocation, within the hidden fault that fills the entry."""
        return zeroed(self._costs)

    def host_page_in(self) -> Path:
        """Return the hidden fault on an entry that went with its page, and the way to the disk."""
        return (*self.first_touch(), *page_in(self._costs))

    def page_in(self) -> Path:
        """Return the fault and two writes of watched tables: a page comes, and another goes."""
        return (*self.page_fault(), *self.pte_write() * 2, *self.tlb_flush())
