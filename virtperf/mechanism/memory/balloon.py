"""A balloon: the guest gives frames back to the host, which takes their backing away."""

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.guest import Guest


class Balloon:
    """Frames of a guest that it has pledged not to use.

    The guest chooses what it can best do without, and pages out itself if it must; so the host
    reads nothing back only to have it written again, as it does when it pages out on its own.

    Parameters
    ----------
    guest : Guest

    Examples
    --------
    >>> from virtperf.mechanism.memory.frames import FramePool
    >>> from virtperf.mechanism.memory.nested_paging import NestedPaging
    >>> from virtperf.mechanism.memory.pmap import PMap
    >>> pmap = PMap(1 << 20)
    >>> _ = pmap.populate(0, 1 << 20)
    >>> balloon = Balloon(Guest(NestedPaging(pmap), FramePool(1 << 20)))
    >>> balloon.inflate(1 << 18), pmap.backed_frames == 3 << 18
    (262144, True)
    """

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self._held: list[tuple[int, int]] = []

    def __len__(self) -> int:
        """Frames it holds."""
        return sum(count for _, count in self._held)

    def inflate(self, frames: int) -> int:
        """Take frames from the guest; return how many had been backed, which the host gets."""
        if frames < 1:
            raise ParameterError("balloon", "frames", "at least 1", frames)
        pieces = self.guest.give_frames(frames)
        self._held += pieces
        pmap = self.guest.paging.pmap
        return sum(pmap.release(start, count) for start, count in pieces)

    def deflate(self, frames: int) -> None:
        """Give frames back to the guest; each is backed again when it is next used.

        Raises
        ------
        ParameterError
            If the balloon does not hold so many.
        """
        if not 1 <= frames <= len(self):
            raise ParameterError("balloon", "frames", f"1 to the {len(self)} it holds", frames)
        while frames:
            start, count = self._held.pop()
            given = min(count, frames)
            self.guest.frames.give(start, given)
            if given < count:
                self._held.append((start + given, count - given))
            frames -= given
