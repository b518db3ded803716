"""fork, exit, wait, mmap and munmap as a kernel does them, entry by entry of its page tables."""

from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.guest import Guest
from virtperf.mechanism.memory.page_table import ENTRIES, leaf_pages
from virtperf.mechanism.memory.paging_counts import PagingCounts
from virtperf.mechanism.memory.process_image import FileMapping, ProcessImage

_REGION = leaf_pages(2)
LEVELS_32_BITS = 2
"""Tables of a process of 32 bits: a root, and last-level tables."""


class Process:
    """A process with a stated image, which forks and maps on some technique.

    Its pages are spread evenly over its regions, read-only ones first in each; above all of them
    are the kernel's, which every process has.

    Parameters
    ----------
    guest : Guest
        Without a resident limit.
    image : ProcessImage
    levels : {2, 3, 4, 5}
        Of its page tables.
    """

    def __init__(self, guest: Guest, image: ProcessImage, levels: int = LEVELS_32_BITS) -> None:
        self.guest = guest
        self.image = image
        self.levels = levels
        self.space = AddressSpace("parent", levels)
        self.read_only = self._lay_out(image.read_only_pages, 0, writable=False)
        self.writable = self._lay_out(image.writable_pages, _REGION // 2, writable=True)
        self.kernel = self._kernel(image.kernel_pages)
        guest.add_kernel(self.space, self.kernel)
        guest.paging.switch_to(self.space)
        for page in self.kernel:
            guest.access(self.space, page, write=True)
        for page in self.read_only:
            guest.access(self.space, page)
        for page in self.writable:
            guest.access(self.space, page, write=True)

    def fork_and_wait(self) -> PagingCounts:
        """Fork a child that exits, and wait for it; return what happened.

        The child runs first, the parent writes when it has been waited for.
        """
        guest, paging = self.guest, self.guest.paging
        before = paging.counts - PagingCounts()
        child = AddressSpace("child", self.levels)
        guest.fork(self.space, child)
        guest.add_kernel(child, self.kernel)
        paging.switch_to(child)
        for page in self.kernel:
            guest.access(child, page, write=True)
        for page in self.read_only[: self.image.child_reads]:
            guest.access(child, page)
        for page in self.writable[: self.image.child_writes]:
            guest.access(child, page, write=True)
        guest.exit(child, successor=self.space)
        for page in self.writable[: self.image.parent_writes]:
            guest.access(self.space, page, write=True)
        return paging.counts - before

    def map_and_touch(self, mapping: FileMapping) -> PagingCounts:
        """Map a file that is in memory, write some of its pages, and unmap it."""
        guest = self.guest
        before = guest.paging.counts - PagingCounts()
        start = self.image.regions * _REGION
        guest.add_area(self.space, start, mapping.pages)
        for number in range(mapping.touches):
            guest.access(self.space, start + number * mapping.stride, write=True)
        guest.remove_area(self.space, start, mapping.pages)
        return guest.paging.counts - before

    def _kernel(self, pages: int) -> dict[int, int]:
        """Return the kernel's pages, at the end of all addresses, and their frames."""
        top = ENTRIES**self.levels - _REGION
        frames = (self.guest.frames.take() for _ in range(pages))
        return {top + one: frame for one, frame in enumerate(frames) if frame is not None}

    def _lay_out(self, pages: int, offset: int, *, writable: bool) -> list[int]:
        """Make areas for so many pages, dealt out to the regions in turn; return the pages."""
        regions = self.image.regions
        each = [-(-(pages - number) // regions) for number in range(regions)]
        for number, count in enumerate(each):
            if count > 0:
                start = number * _REGION + offset
                self.guest.add_area(self.space, start, count, writable=writable)
        return [one % regions * _REGION + offset + one // regions for one in range(pages)]
