"""The invalidation queue: commands of all CPUs, carried out one after the other by one IOMMU."""

from virtperf.errors import ParameterError


class InvalidationQueue:
    """One server, first come first served; who asks waits until its own command is done.

    Parameters
    ----------
    each_ns : float
        Time of an invalidation and of the answer that it is done.

    Attributes
    ----------
    commands : int
    busy_ns, waited_ns : float
        Time that it worked, and that CPUs waited for it, their own commands included.

    Examples
    --------
    >>> queue = InvalidationQueue(700.0)
    >>> queue.submit(0.0), queue.submit(100.0)
    (700.0, 1400.0)
    """

    def __init__(self, each_ns: float) -> None:
        if each_ns < 0:
            raise ParameterError("InvalidationQueue", "each", "at least 0", each_ns)
        self.each_ns = each_ns
        self.commands = 0
        self.busy_ns = self.waited_ns = 0.0
        self._free = self._last = 0.0

    def submit(self, now: float) -> float:
        """Return when an invalidation that is asked for now is done.

        Raises
        ------
        ParameterError
            If the time runs backwards.
        """
        if now < self._last:
            raise ParameterError("InvalidationQueue", "now", f"at least {self._last}", now)
        self._last = now
        self._free = max(now, self._free) + self.each_ns
        self.commands += 1
        self.busy_ns += self.each_ns
        self.waited_ns += self._free - now
        return self._free
