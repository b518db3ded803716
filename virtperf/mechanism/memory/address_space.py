"""An address space: the page table of one guest process, and who it is."""

from virtperf.mechanism.memory.page_table import PageTable


class AddressSpace:
    """One guest process as paging sees it. Two of the same name are still two.

    Parameters
    ----------
    name : str
        For messages.
    levels : {2, 3, 4, 5}
        Of its page table.
    """

    def __init__(self, name: str, levels: int = 4) -> None:
        self.name = name
        self.table = PageTable(levels)

    def __repr__(self) -> str:
        return f"AddressSpace({self.name!r})"
