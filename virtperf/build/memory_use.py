"""What a VM's memory does, in numbers: hits by level, walks and their reads, faults, tables.

These come from the run of the hardware and from closed forms when the system is built; a simulation
adds the time in which they happen. Faults and moves of pages are per unit of the workload.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from virtperf.build.paging import PAGE, Shortage, computing_jobs
from virtperf.build.translation import Translation
from virtperf.mechanism.memory.page_table import TABLE_BYTES
from virtperf.mechanism.memory.pages import PageSize
from virtperf.mechanism.memory.table_memory import dense_tables
from virtperf.scenario import Memory, Vm
from virtperf.technique.cpu.operations import OPERATIONS
from virtperf.technique.cpu.workload import Workload
from virtperf.technique.memory import MemoryTechnique

Row = tuple[str, float, str]
_LEVELS = {PageSize.K4: 1, PageSize.M2: 2, PageSize.G1: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """One VM's memory, as it was built.

    Attributes
    ----------
    vm : Vm
    memory : Memory
        Its own table, or the default.
    called : str
        Name of its technique.
    technique : MemoryTechnique
    workload : Workload
    footprint : float
        Bytes of data of each process; 0 where the workload does not say.
    addresses : Translation, optional
    short : Shortage, optional
    """

    vm: Vm
    memory: Memory
    called: str
    technique: MemoryTechnique
    workload: Workload
    footprint: float
    addresses: Translation | None = None
    short: Shortage | None = None

    def rows(self) -> Iterator[Row]:
        """Yield (quantity, value, unit)."""
        if self.addresses is not None:
            yield from _walks(self.addresses)
        yield from self._faults()
        if self.short is not None:
            yield from _moves(self.short)
        if self.footprint:
            yield from self._tables()

    def _faults(self) -> Iterator[Row]:
        """Yield faults by kind, where there are any: what is hidden is so from the guest."""
        number = {name: self.workload.events(one) for name, one in OPERATIONS.items()}
        paged, fetched = 0.0, 0.0
        if self.short is not None:
            paged = self.short.visits * self.short.moves.guest_reads
            fetched = self.short.visits * self.short.moves.host_faults
        large, given, filled = self.workload.large, 0.0, 0.0
        if large is not None:
            number["page_fault"] += large.number
            given, filled = large.number * large.given, large.number * large.touches(self.technique)
        true = number["page_fault"] + paged
        kinds = {"true page faults": true}
        if self.technique.follows_host:
            kinds["hidden faults"] = true + number["first_touch"] + fetched + filled
        if self.technique.dimensions == 2:
            kinds["EPT violations"] = number["fresh_page"] + fetched + given
        yield from ((name, value, "1") for name, value in kinds.items() if value)

    def _tables(self) -> Iterator[Row]:
        """Yield the memory of page tables: a guest's processes have their own, a VM one host's."""
        processes = computing_jobs(self.vm)
        guest, host = PageSize.of(self.memory.guest_page), PageSize.of(self.memory.host_page)
        own = processes * _bytes(self.footprint, guest)
        yield "guest's page tables", own, "B"
        if self.technique.dimensions == 2:
            yield "second dimension's tables", _bytes(processes * self.footprint, host), "B"
        elif self.technique.follows_host:
            one = _bytes(self.footprint, min(guest, host))
            per_process = self.called == "shadow"
            yield "hypervisor's tables", one * (processes if per_process else 1), "B"


def _walks(addresses: Translation) -> Iterator[Row]:
    rates = addresses.rates
    yield "TLB hits, first level", 1 - rates.second - rates.walks, "share"
    yield "TLB hits, second level", rates.second, "share"
    yield "page walks", rates.walks, "share"
    if rates.walks:
        yield "reads of a walk, guest's tables", rates.guest_reads / rates.walks, "1"
        if rates.host_reads:
            yield "reads of a walk, host's tables", rates.host_reads / rates.walks, "1"
        yield "time of a walk", addresses.walk_ns, "ns"
    yield "time on addresses, per visit of a page", addresses.unit_ns / addresses.visits, "ns"


def _moves(short: Shortage) -> Iterator[Row]:
    for owner, limit in (("guest", short.guest), ("host", short.host)):
        if limit is not None:
            yield f"memory of a process, as its {owner} has it", limit * PAGE, "B"
    moved = {
        "pages read by the guest (major faults)": short.moves.guest_reads,
        "pages written by the guest": short.moves.guest_writes,
        "pages read by the host": short.moves.host_reads,
        "pages written by the host": short.moves.host_writes,
        "pages paged twice": short.moves.double,
    }
    yield from ((name, short.visits * each, "1") for name, each in moved.items() if each)


def _bytes(size: float, page: PageSize) -> float:
    whole = -(-int(size) // page.bytes) * page.bytes
    return float(dense_tables(whole, _LEVELS[page]) * TABLE_BYTES)
