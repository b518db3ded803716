"""TLBs and the walker together: what one access to memory finds. The obvious form, no clock."""

from typing import NamedTuple

from virtperf.mechanism.memory.flushes import Flush
from virtperf.mechanism.memory.geometry import NO_WALK_CACHES, TlbGeometry, WalkCaches
from virtperf.mechanism.memory.mapping import NATIVE, Context
from virtperf.mechanism.memory.pages import canonical
from virtperf.mechanism.memory.pte_caches import NO_PTE_CACHES, PteCaches, PteLines
from virtperf.mechanism.memory.tlb import Entry, Tlb
from virtperf.mechanism.memory.walker import GUEST, Walker


class Access(NamedTuple):
    """What one access met.

    Attributes
    ----------
    level : int
        TLB level that had the entry, from 0; the number of levels if none had and a walk was made.
    guest, host : int
        Table reads of the walk, by dimension; natively all are `guest`.
    cycles : int
        What these reads took.
    """

    level: int
    guest: int
    host: int
    cycles: int


class Hardware:
    """The translation hardware of one processor.

    Parameters
    ----------
    tlb : TlbGeometry
    caches : WalkCaches
    levels, nested_levels : int
        Depth of the guest's (or only) and of the host's tree.
    pte_caches : PteCaches
        The data caches that table reads are served from.

    Examples
    --------
    >>> from virtperf.mechanism.memory.geometry import structure
    >>> from virtperf.mechanism.memory.mapping import nested
    >>> one = Hardware(TlbGeometry(levels=((structure("16x4"),),)))
    >>> one.access(0x1000, nested("4K", "4K"))
    Access(level=1, guest=4, host=20, cycles=0)
    >>> one.access(0x1fff, nested("4K", "4K")).level
    0
    """

    def __init__(
        self,
        tlb: TlbGeometry,
        caches: WalkCaches = NO_WALK_CACHES,
        *,
        levels: int = 4,
        nested_levels: int = 4,
        pte_caches: PteCaches = NO_PTE_CACHES,
    ) -> None:
        self.tlb = Tlb(tlb)
        self.walker = Walker(caches, levels=levels, nested_levels=nested_levels)
        self.lines = PteLines(pte_caches)

    def access(self, address: int, context: Context = NATIVE) -> Access:
        """Translate a virtual address, given as 64 bits without sign.

        Raises
        ------
        ParameterError
            If the address is not canonical, or the first level holds no pages of its size.
        """
        address = canonical(address, self.walker.levels)
        region = context.mapping.at(address)
        size = self.tlb.geometry.entry_size(region.entry)
        tag = context.tag._replace(pcid=None) if region.is_global else context.tag
        level = self.tlb.access(Entry(tag, size, address >> size.shift))
        if level < len(self.tlb.levels):
            return Access(level, 0, 0, 0)
        reads = self.walker.walk(address, context)
        guest = sum(read.dimension == GUEST for read in reads)
        cycles = sum(self.lines.read(read) for read in reads)
        return Access(level, guest, len(reads) - guest, cycles)

    def flush(self, flush: Flush) -> None:
        """Take out of all TLBs and walk caches what a flush says."""
        at = flush.address
        if at is not None:
            at = canonical(at, self.walker.levels)

        def doomed(entry: Entry) -> bool:
            here = at is None or at >> entry.size.shift == entry.page
            return here and flush.entries(entry.tag)

        self.tlb.flush(doomed)
        self.walker.flush(flush)
