"""Free page frames, as runs: what a kernel or a hypervisor hands out."""

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.runs import Runs


class FramePool:
    """Frames 0 to ``total - 1``, handed out from the lowest on.

    Parameters
    ----------
    total : int
        4 KiB frames, at least 1.

    Raises
    ------
    ParameterError
        If there is none.

    Examples
    --------
    >>> pool = FramePool(1 << 28)  # a terabyte
    >>> pool.take(), pool.take(512, align=512), pool.free
    (0, 512, 268434943)
    """

    def __init__(self, total: int) -> None:
        if total < 1:
            raise ParameterError("FramePool", "total", "at least 1", total)
        self.total = total
        self._free = Runs()
        self._free.put(0, total, 0, 0)

    @property
    def free(self) -> int:
        """How many are free."""
        return self._free.size

    def take(self, count: int = 1, align: int = 1) -> int | None:
        """Return the first of `count` neighbours that begin at a multiple of `align`, or None."""
        for run in self._free.all():
            start = -(-run.start // align) * align
            if start + count <= run.end:
                self._free.remove(start, start + count)
                return start
        return None

    def take_pieces(self, count: int) -> list[tuple[int, int]]:
        """Return `count` frames as (first, number) of as few runs as the lowest frames make.

        Raises
        ------
        ParameterError
            If there are not that many.
        """
        if count > self.free:
            raise ParameterError("FramePool", "count", f"at most the {self.free} free ones", count)
        pieces = []
        for run in self._free.all():
            number = min(count, run.length)
            if number == 0:
                break
            pieces.append((run.start, number))
            count -= number
        for start, number in pieces:
            self._free.remove(start, start + number)
        return pieces

    def give(self, start: int, count: int = 1) -> None:
        """Take frames back.

        Raises
        ------
        ParameterError
            If one of them is free already, or none of the pool's.
        """
        if self._free.count(start, start + count) or not 0 <= start <= self.total - count:
            raise ParameterError("FramePool", "start", "frames that were taken", start)
        self._free.put(start, start + count, start, 0)
