"""What a technique of memory virtualization did, in numbers that add up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

_LEVELS = ("tables", "peak_tables")

Transitions = Mapping[tuple[str, str], int]
"""How often (name of a transition, reason) was taken: what a CPU technique prices."""


@dataclass(slots=True, kw_only=True)
class PagingCounts:
    """Events of one VM; a caller multiplies each count by its cost.

    Attributes
    ----------
    accesses : int
        References to a page, those again after a fault included.
    true_faults : int
        Accesses that the guest's own table denies. Its kernel sees every one of them.
    bypassed_faults : int
        Those of them that hardware gave to the guest without the hypervisor.
    hidden_missing : int
        Accesses the guest allows and the hypervisor's table does not know: it fills them in.
    hidden_dirty : int
        Writes to a page that had been filled read-only, in most cases because it was not dirty.
    pte_writes : int
        Entries of its tables, of any level, that the guest wrote.
    trapped_writes : int
        Those of them that met a write-protected table.
    unsyncs : int
        Trapped writes upon which the table was let go out of sync.
    resyncs, resynced_entries : int
        Tables brought in sync again, and their entries that were looked at: 512 each.
    updated_entries, dropped_entries, prefetched_entries : int
        Entries of the hypervisor's tables that followed a write; that were taken out; that were
        filled beside one that was asked for.
    recycled_tables, flooded_tables, zapped_tables : int
        Tables dropped for want of room; because they were written and not used; with their process.
    address_space_loads, invalidations : int
        The guest's loads of a base pointer, and its invalidations of single pages.
    hypercalls, hypercall_updates, hypercall_operations : int
        Entries into the hypervisor of a ported guest, and what they carried: updates of table
        entries, and other requests about tables. Loads of a base pointer are entries too.
    unbatched_updates, unbatched_operations : int
        Those that went alone, each with a hypercall of its own.
    pinned_tables, validated_entries : int
        Tables whose type was fixed, and the entries checked for it.
    violations : int
        Accesses the second dimension does not map or not permit.
    host_minor, host_major : int
        Host pages allocated, and read back from the host's disk, on an access of the guest.
    host_invalidations : int
        Translations the host took back: for ballooning, paging out, write protection.
    double_pagings : int
        Pages the host had to read back so that the guest could page them out.
    tables, peak_tables : int
        Levels, not sums: the hypervisor's tables at the end, and the most there ever were.
    """

    accesses: int = 0
    true_faults: int = 0
    bypassed_faults: int = 0
    hidden_missing: int = 0
    hidden_dirty: int = 0
    pte_writes: int = 0
    trapped_writes: int = 0
    unsyncs: int = 0
    resyncs: int = 0
    resynced_entries: int = 0
    updated_entries: int = 0
    dropped_entries: int = 0
    prefetched_entries: int = 0
    recycled_tables: int = 0
    flooded_tables: int = 0
    zapped_tables: int = 0
    address_space_loads: int = 0
    invalidations: int = 0
    hypercalls: int = 0
    hypercall_updates: int = 0
    hypercall_operations: int = 0
    unbatched_updates: int = 0
    unbatched_operations: int = 0
    pinned_tables: int = 0
    validated_entries: int = 0
    violations: int = 0
    host_minor: int = 0
    host_major: int = 0
    host_invalidations: int = 0
    double_pagings: int = 0
    tables: int = 0
    peak_tables: int = 0

    @property
    def hidden_faults(self) -> int:
        """Faults the guest never sees."""
        return self.hidden_missing + self.hidden_dirty

    def __add__(self, later: "PagingCounts") -> "PagingCounts":
        """Return the counts of this stretch and a `later` one; levels are those after it."""
        both = {f.name: getattr(self, f.name) + getattr(later, f.name) for f in fields(self)}
        both["tables"] = later.tables
        both["peak_tables"] = max(self.peak_tables, later.peak_tables)
        return PagingCounts(**both)

    def __sub__(self, earlier: "PagingCounts") -> "PagingCounts":
        """Return what happened since an `earlier` copy of these counts; levels stay."""
        since = {f.name: getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self)}
        return PagingCounts(**since | {name: getattr(self, name) for name in _LEVELS})


@dataclass(slots=True, kw_only=True)
class FaultCounts:
    """What paging to a disk did, of a guest's kernel or of the host.

    Attributes
    ----------
    minor, major : int
        Faults served from memory, and from the disk.
    copied : int
        Minor faults that copied a page which was shared until it was written.
    page_outs : int
        Pages written to the disk to make room.
    discarded : int
        Pages taken without a write: the disk has them, or they were never written.
    """

    minor: int = 0
    major: int = 0
    copied: int = 0
    page_outs: int = 0
    discarded: int = 0


def transitions(*rows: tuple[str, str, int]) -> Transitions:
    """Return (name, reason, how often) as a mapping, without what did not happen."""
    total: Counter[tuple[str, str]] = Counter()
    for name, reason, times in rows:
        total[name, reason] += times
    return {key: times for key, times in total.items() if times}


def added(parts: Iterable[Transitions]) -> Transitions:
    """Return the sum of several."""
    total: Counter[tuple[str, str]] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)
