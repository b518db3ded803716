"""How an address space is mapped: page sizes on either side by region, and where tables lie."""

from bisect import bisect_right
from dataclasses import dataclass

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.flushes import HERE, Tag
from virtperf.mechanism.memory.pages import PAGE_SHIFT, PageSize

DATA_BITS = 47
"""Guest-physical addresses of data have so many bits; table pages come from above by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A range of virtual addresses with pages of its own.

    Parameters
    ----------
    start, end : int
        Virtual addresses in bytes, as many bits as are translated; `end` is behind the last.
    guest : PageSize
        Of the guest's page tables; natively, of the only ones.
    host : PageSize or None
        Of the host's page tables, where data lie; None natively.
    is_global : bool
        Whether the guest's pages are global.
    """

    start: int
    end: int
    guest: PageSize = PageSize.K4
    host: PageSize | None = None
    is_global: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ParameterError("Region", "end", f"above start, {self.start:#x}", hex(self.end))
        for field in ("start", "end"):
            if getattr(self, field) % self.guest.bytes:
                rule = f"a multiple of its {self.guest.label} page"
                raise ParameterError("Region", field, rule, hex(getattr(self, field)))

    @property
    def entry(self) -> PageSize:
        """What one TLB entry covers: the smaller of guest and host page."""
        return self.guest if self.host is None else min(self.guest, self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """The page sizes of an address space, region by region, and its guest-physical layout.

    Data lie at guest-physical addresses equal to their virtual ones (their low 47 bits), moved by
    `offset`. Tables of the guest take frames from `tables_at` on, in the order of first use.

    Parameters
    ----------
    guest, host : PageSize
        Where no region says otherwise; `host` is None natively, and then nowhere.
    tables_on : PageSize, optional
        Host pages below the guest's tables; as `host` if not given.
    regions : tuple of Region
        Without overlap, in order.
    offset : int
        Bytes between virtual and guest-physical addresses of data, a multiple of 1 GiB.
    tables_at : int
        Guest-physical address of the first table, a multiple of 4 KiB. Spaces of one VM share the
        frames, so all of them must say the same.
    """

    guest: PageSize = PageSize.K4
    host: PageSize | None = None
    tables_on: PageSize | None = None
    regions: tuple[Region, ...] = ()
    offset: int = 0
    tables_at: int = 1 << DATA_BITS

    def __post_init__(self) -> None:
        owner = "Mapping"
        if self.offset % PageSize.G1.bytes:
            raise ParameterError(owner, "offset", "a multiple of 1 GiB", self.offset)
        if self.tables_at % PageSize.K4.bytes or self.tables_at < 0:
            raise ParameterError(owner, "tables_at", "a multiple of 4 KiB", self.tables_at)
        if self.host is None and self.tables_on is not None:
            raise ParameterError(owner, "tables_on", "left out natively", self.tables_on.label)
        end = 0
        for region in self.regions:
            if region.start < end:
                rule = f"behind the region before it, {end:#x}"
                raise ParameterError(owner, "regions", rule, hex(region.start))
            if (region.host is None) != (self.host is None):
                rule = "nested in all regions or in none"
                raise ParameterError(owner, "regions", rule, hex(region.start))
            end = region.end

    @property
    def tables_page(self) -> PageSize | None:
        """Host page below the guest's tables, None natively."""
        return self.host if self.tables_on is None else self.tables_on

    def at(self, address: int) -> Region:
        """Return the region of an address, the default's as long as it goes."""
        index = bisect_right(self.regions, address, key=lambda region: region.start)
        if index and address < self.regions[index - 1].end:
            return self.regions[index - 1]
        return Region(start=0, end=1 << 57, guest=self.guest, host=self.host)

    def guest_physical(self, address: int) -> int:
        """Return the guest-physical address of data."""
        return (address + self.offset) & ((1 << DATA_BITS) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who accesses memory: what its entries are tagged with, and its page tables.

    Parameters
    ----------
    tag : Tag
        Tag with a PCID. Its root, if any, is the VM's host tables.
    space : int
        Which page tables of the guest or native system these are. Two spaces never share tables.
    mapping : Mapping
    """

    tag: Tag = HERE
    space: int = 0
    mapping: Mapping = Mapping()

    def __post_init__(self) -> None:
        if self.tag.pcid is None:
            raise ParameterError("Context", "tag", "of one PCID, not global", self.tag)
        if (self.tag.root is None) != (self.mapping.host is None):
            rule = "a root if the mapping has host pages, else none"
            raise ParameterError("Context", "tag", rule, self.tag)


NATIVE = Context()


def nested(
    guest: PageSize | str = "4K",
    host: PageSize | str = "4K",
    *,
    tables_on: PageSize | str | None = None,
    tag: Tag | None = None,
    space: int = 0,
) -> Context:
    """Return a context under nested paging with one page size on either side."""
    mapping = Mapping(
        guest=PageSize.of(guest),
        host=PageSize.of(host),
        tables_on=None if tables_on is None else PageSize.of(tables_on),
    )
    return Context(tag=tag or Tag(vpid=1, root=1), space=space, mapping=mapping)


def frame(address: int) -> int:
    """Return the number of the 4 KiB frame an address lies in."""
    return address >> PAGE_SHIFT
