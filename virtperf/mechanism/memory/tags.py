"""How a finite number of TLB tags is handed out to more address spaces than there are tags."""

from collections import OrderedDict
from typing import NamedTuple

from virtperf.errors import ParameterError

LINUX_PCIDS = 6
"""Address spaces that Linux keeps apart on a CPU (TLB_NR_DYN_ASIDS of arch/x86/mm; read)."""
K10_ASIDS, ZEN_ASIDS, VPIDS = 64, 32_768, 65_536
"""ASIDs of AMD's K10 and Zen (CPUID, read), VPIDs of Intel (16 bits, recalled)."""


class Assigned(NamedTuple):
    """The tag to go on with, and whether the hardware has to be flushed first.

    Attributes
    ----------
    tag : int
    flush : {'', 'tag', 'all'}
        Nothing, what the tag had before, or everything.
    """

    tag: int
    flush: str


class FreshTags:
    """A new tag at each change of address space, and one flush of all when they are used up.

    So Xen did on AMD's first parts, whose 64 ASIDs cannot be flushed one by one: instead of
    flushing, a guest that changes its address space goes on under another ASID.

    Parameters
    ----------
    tags : int
        How many there are for guests, at least 1.

    Examples
    --------
    >>> tags = FreshTags(2)
    >>> [tags.change().flush for _ in range(5)]
    ['', '', 'all', '', 'all']

    References
    ----------
    .. [1] Xen, commit 322a078a (2007): ASID management of SVM.
    """

    def __init__(self, tags: int) -> None:
        if tags < 1:
            raise ParameterError("FreshTags", "tags", "at least 1", tags)
        self.tags = tags
        self.flushes = 0
        self._next = 0

    def change(self) -> Assigned:
        """Return the tag of a changed address space; tags count from 1."""
        wraps = self._next == self.tags
        self._next = 1 if wraps else self._next + 1
        self.flushes += wraps
        return Assigned(self._next, "all" if wraps else "")


class KeptTags:
    """A few tags for the spaces that ran last; who has none takes the next one in turn.

    So Linux does with PCIDs: the taker's tag is flushed before use. Six processes in turn need no
    flush, seven need one at each switch.

    Parameters
    ----------
    tags : int
        How many spaces are kept apart, at least 1.

    Examples
    --------
    >>> tags = KeptTags(2)
    >>> [tags.switch(space).flush for space in "abaca"]
    ['', '', '', 'tag', 'tag']

    References
    ----------
    .. [1] Linux, arch/x86/mm/tlb.c, choose_new_asid: the next one in turn, not the least recent.
    """

    def __init__(self, tags: int = LINUX_PCIDS) -> None:
        if tags < 1:
            raise ParameterError("KeptTags", "tags", "at least 1", tags)
        self.tags = tags
        self.flushes = 0
        self._of: OrderedDict[object, int] = OrderedDict()
        self._owner: dict[int, object] = {}
        self._next = 0

    def switch(self, space: object) -> Assigned:
        """Return the tag of a space; tags count from 1."""
        if space in self._of:
            return Assigned(self._of[space], "")
        tag = self._next + 1
        self._next = tag % self.tags
        taken = self._owner.get(tag)
        if taken is not None:
            del self._of[taken]
            self.flushes += 1
        self._owner[tag], self._of[space] = space, tag
        return Assigned(tag, "tag" if taken is not None else "")
