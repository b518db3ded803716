"""The memory of shadow page tables: which there are, and which must go when there are too many."""

from collections.abc import Iterable

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.page_table import table_of
from virtperf.mechanism.memory.resident import LEAST_PAGES


class ShadowTable:
    """One shadow table of 512 entries.

    Parameters
    ----------
    space : AddressSpace
    level, number : int
        Which table of the space (see `table_of`).
    guest_level : int
        Level of the guest's leaf if this is above that of the table: there is no guest table
        behind it then, it is there because the guest's page is larger than the host's.

    Attributes
    ----------
    in_sync : bool
        Whether the guest's table is write-protected. Otherwise the guest writes it freely.
    idle_writes : int
        Trapped writes since the last access through it.
    """

    __slots__ = ("guest_level", "idle_writes", "in_sync", "level", "number", "space")

    def __init__(self, space: AddressSpace, level: int, number: int, guest_level: int) -> None:
        self.space, self.level, self.number = space, level, number
        self.guest_level = guest_level
        self.in_sync = True
        self.idle_writes = 0

    @property
    def is_direct(self) -> bool:
        """Whether no write of the guest can meet it, as it shadows no table."""
        return self.level < self.guest_level

    @property
    def first_page(self) -> int:
        """First page whose walk goes through it."""
        return self.number << 9 * self.level

    @property
    def pages(self) -> int:
        """How many pages it spans."""
        return 1 << 9 * self.level


class ShadowTables:
    """The shadow tables of one VM, oldest first.

    Parameters
    ----------
    limit : int, optional
        Most tables there may be (see `kvm_shadow_limit`); beyond it the oldest is recycled.

    Raises
    ------
    ParameterError
        If the limit is below what the pages of one instruction need.
    """

    def __init__(self, limit: int | None = None) -> None:
        least = LEAST_PAGES * 4 + 1
        if limit is not None and limit < least:
            rule = (
                f"at least {least}: one instruction may need {LEAST_PAGES} pages, each under "
                "4 tables of its own below a root"
            )
            raise ParameterError("shadow", "max_tables", rule, limit)
        self.limit = limit
        self._tables: dict[tuple[AddressSpace, int, int], ShadowTable] = {}
        self._by_level: dict[tuple[AddressSpace, int], dict[int, ShadowTable]] = {}

    def __len__(self) -> int:
        return len(self._tables)

    def find(self, space: AddressSpace, level: int, page: int) -> ShadowTable | None:
        """Return the table of `level` that the walk of a page goes through, if it is there."""
        return self._tables.get((space, level, table_of(page, level)))

    def reaches(self, space: AddressSpace, level: int, page: int) -> bool:
        """Return whether every table down to `level` is there, so that hardware gets to it."""
        return all(self.find(space, one, page) for one in range(level, space.table.levels + 1))

    def within(self, space: AddressSpace, level: int, first: int, last: int) -> list[ShadowTable]:
        """Return the tables of `level` numbered from `first` to ``last - 1``."""
        known = self._by_level.get((space, level), {})
        if last - first < len(known):
            return [known[number] for number in range(first, last) if number in known]
        return sorted(
            (table for number, table in known.items() if first <= number < last),
            key=lambda table: table.number,
        )

    def of(self, space: AddressSpace) -> list[ShadowTable]:
        """Return every table of a space, oldest first."""
        return [table for table in self._tables.values() if table.space is space]

    def under(self, table: ShadowTable) -> list[ShadowTable]:
        """Return the tables that stand for large guest pages which `table` has as leaves."""
        found = []
        for level in range(1, table.level):
            first = table.number << 9 * (table.level - level)
            last = table.number + 1 << 9 * (table.level - level)
            near = self.within(table.space, level, first, last)
            found += [one for one in near if one.is_direct and one.guest_level == table.level]
        return found

    def build(
        self, space: AddressSpace, level: int, page: int, guest_level: int
    ) -> list[ShadowTable]:
        """Make the tables of a page down to `level`; return those to be recycled.

        The caller has to `drop` these. The tables of this walk stay, whatever their age.
        """
        walk = range(level, space.table.levels + 1)
        missing = [one for one in walk if not self.find(space, one, page)]
        needed = {(space, one, table_of(page, one)) for one in walk}
        recycled = []
        if self.limit is not None:
            surplus = len(self) + len(missing) - self.limit
            old = (key for key in self._tables if key not in needed)
            recycled = [self._tables[key] for _, key in zip(range(surplus), old, strict=False)]
        for one in missing:
            table = ShadowTable(space, one, table_of(page, one), guest_level)
            self._tables[space, one, table.number] = table
            self._by_level.setdefault((space, one), {})[table.number] = table
        return recycled

    def drop(self, tables: Iterable[ShadowTable]) -> None:
        """Free tables; what hangs on them stays, and is found again when they are made anew."""
        for table in tables:
            del self._tables[table.space, table.level, table.number]
            del self._by_level[table.space, table.level][table.number]
