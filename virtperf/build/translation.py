"""What the translation of addresses costs a workload: misses and walks, from a run of the hardware.

A workload that says how much data it works on, and how it moves between pages, is put through the
compiled TLBs and walks of its platform's processor: first until they are warm, then for the rates,
then once more behind a flush, for what it takes to fill the TLB again. Rates are per *visit*, that
is the first of a run of accesses to the same page; the accesses that follow hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from virtperf import stream
from virtperf.assembly.translations import Translations
from virtperf.errors import ParameterError
from virtperf.mechanism.memory.flushes import EVERYTHING, Tag
from virtperf.mechanism.memory.geometry import TlbGeometry
from virtperf.mechanism.memory.mapping import Context, Mapping
from virtperf.mechanism.memory.pages import PageSize
from virtperf.mechanism.memory.processors import processor
from virtperf.path import Path, Step, work
from virtperf.rules import refill
from virtperf.scenario import Memory
from virtperf.technique.costs import Costs
from virtperf.technique.memory import MemoryTechnique

SECOND, WALKS = "vcpu: second-level TLB", "vcpu: page walks"
WARM, MEASURED = 4, 400_000  # rounds of the pages at most, and visits
MOST_WARM = 2_000_000
ROUNDS = 16  # of as many visits as there are entries, until an emptied TLB counts as warm
SEED = 1
PCIDS = 6  # processes whose entries Linux keeps on a CPU (see `mechanism.memory.tags`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Per visit of a page, and of the TLB as it is when warm.

    Attributes
    ----------
    second : float
        Misses of the first level that the second has.
    walks, guest_reads, host_reads, cycles : float
        Walks, the table reads they make by dimension, and what those take.
    entries, room : int
        Entries of the workload's, and all there are for pages of that size, in the largest level.
    again, again_cycles : float
        Walks beyond the usual ones until an emptied TLB is warm again, and what their reads take.
    pages : int
        Pages of the workload's data.
    """

    second: float
    walks: float
    guest_reads: float
    host_reads: float
    cycles: float
    entries: int
    room: int
    again: float
    again_cycles: float
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What a unit of a workload spends on addresses.

    Attributes
    ----------
    rates : Rates
    visits : float
        Of pages, per unit.
    second_ns, walk_ns, refill_ns : float
        Time of a miss that the second level has, of a walk, and of all walks that fill the TLB.
    pcid : bool
        Whether the processor tells processes apart.
    """

    rates: Rates
    visits: float
    second_ns: float
    walk_ns: float
    refill_ns: float
    pcid: bool

    @property
    def unit_ns(self) -> float:
        """Time of a unit's misses and walks."""
        rates = self.rates
        return self.visits * (rates.second * self.second_ns + rates.walks * self.walk_ns)

    def path(self) -> Path:
        """Return what a unit takes for it; counts are rounded to whole ones."""
        rates, visits = self.rates, self.visits
        second, walks = visits * rates.second, visits * rates.walks
        steps = (
            _counted("stlb_hits", second, second * self.second_ns, SECOND),
            _counted("page_walks", walks, walks * self.walk_ns, WALKS),
            _counted("guest_table_reads", visits * rates.guest_reads, 0.0, WALKS),
            _counted("host_table_reads", visits * rates.host_reads, 0.0, WALKS),
        )
        return tuple(step for step in steps if step is not None)

    def between(self, processes: int, *, tagged: bool) -> Path:
        """Return what a process walks for again when so many take turns on a vCPU."""
        rates, kept = self.rates, tagged and processes <= PCIDS
        gone = processes * rates.entries - rates.room if kept else rates.entries
        ns = refill.share_lost(rates.entries, gone) / refill.ONE * self.refill_ns
        return (work("vcpu", ns, WALKS),) if ns else ()

    def refill(self, unit_ns: float, *, tagged: bool) -> Translations | None:
        """Return what a vCPU walks for again after others; a unit takes `unit_ns` in all."""
        rates = self.rates
        if rates.again < 1:
            return None
        return Translations(
            walks_ns=self.refill_ns,
            entries=rates.entries,
            room=rates.room,
            pages=rates.pages,
            touches_ns=rates.pages * unit_ns / self.visits,
            tagged=tagged,
        )


def _counted(counts: str, number: float, ns: float, account: str) -> Step | None:
    if not ns and round(number) < 1:
        return None
    return work("vcpu", ns, account, counts=counts, times=max(1, round(number)))


def translation(costs: Costs, memory: Memory, technique: MemoryTechnique) -> Translation | None:
    """Return what addresses cost a workload under a memory technique.

    None if the workload does not say what data it works on, or no hardware walks.

    Raises
    ------
    ParameterError
        If the platform does not say whose TLBs it has, or a number cannot be.
    """
    if "data_footprint" not in costs or not technique.dimensions:
        return None
    name = costs.sets[0].processor
    if not name:
        must = "one that says whose TLBs it has, for the workload says what data it works on"
        raise ParameterError("scenario", "platform", must, costs.sets[0].name)
    footprint, visits = costs.quantity("data_footprint").base, costs.share("page_visits")
    hardware, cycle_ns = processor(name), 1e9 / costs.quantity("frequency").base
    guest, host = PageSize.of(memory.guest_page), PageSize.of(memory.host_page)
    two = technique.dimensions == 2
    leaf = min(guest, host) if technique.follows_host else guest
    rates = _rates(
        name,
        guest if two else leaf,
        host if two else None,
        int(footprint),
        costs.share("skew") if "skew" in costs else 0.0,
        costs.share("pte_share"),
    )
    walk = rates.cycles / rates.walks if rates.walks else 0.0
    second = hardware.l2_hit_cycles or 0.0
    return Translation(
        rates=rates,
        visits=visits,
        second_ns=second * cycle_ns,
        walk_ns=(walk + second) * cycle_ns,
        refill_ns=(rates.again_cycles + rates.again * second) * cycle_ns,
        pcid=hardware.pcid,
    )


@cache
def _rates(
    name: str,
    guest: PageSize,
    host: PageSize | None,
    footprint: int,
    skew: float,
    share: float,
) -> Rates:
    """Run the hardware; `host` is None where one table says all."""
    from virtperf.mmu import Mmu  # it compiles, once

    hardware = processor(name)
    mmu = Mmu(hardware.data, hardware.walk_caches, pte_caches=hardware.pte_caches(share))
    tag = Tag(vpid=1, root=None if host is None else 1)
    who = Context(tag=tag, mapping=Mapping(guest=guest, host=host))
    pages = -(-footprint // PageSize.K4.bytes)
    warm = min(MOST_WARM, WARM * pages) + MEASURED
    words = _visits(pages, skew, warm + 2 * MEASURED)
    mmu.run(words[:warm], who)
    before = mmu.counts
    mmu.run(words[warm : warm + MEASURED], who)
    after = mmu.counts
    entry = guest if host is None else min(guest, host)
    entries, room = _held(mmu.resident(), hardware.data, entry)
    mmu.flush(EVERYTHING)
    window = min(MEASURED, ROUNDS * entries)
    mmu.run(words[warm + MEASURED : warm + MEASURED + window], who)
    walks, refilled = after.walks - before.walks, mmu.counts
    again = max(0.0, refilled.walks - after.walks - walks * window / MEASURED)
    each = (refilled.cycles - after.cycles) / max(1, refilled.walks - after.walks)
    return Rates(
        second=sum(after.hits[1:]) / MEASURED - sum(before.hits[1:]) / MEASURED,
        walks=walks / MEASURED,
        guest_reads=(sum(after.guest) - sum(before.guest)) / MEASURED,
        host_reads=(sum(after.host) - sum(before.host)) / MEASURED,
        cycles=(after.cycles - before.cycles) / MEASURED,
        entries=entries,
        room=room,
        again=again,
        again_cycles=again * each,
        pages=-(-footprint // entry.bytes),
    )


def _visits(pages: int, skew: float, count: int) -> Any:
    """Return the words of so many visits, at random: equally likely, or by Zipf's law."""
    import numpy as np

    size = pages * PageSize.K4.bytes
    source = (
        stream.Zipf(footprint_bytes=size, exponent=skew)
        if skew
        else stream.Uniform(footprint_bytes=size)
    )
    return np.concatenate(list(stream.generate(source, count, seed=SEED)))


def _held(resident: Any, tlb: TlbGeometry, page: PageSize) -> tuple[int, int]:
    """Return the entries in use, and in all, of the structure with most room for a page size."""
    held = iter(resident)
    rows = [(one, next(held)) for level in tlb.levels for one in level]
    mine = [(one.entries, sum(map(len, sets))) for one, sets in rows if page in one.pages]
    room, used = max(mine)
    return max(1, min(used, room)), room
