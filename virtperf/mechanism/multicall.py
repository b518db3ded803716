"""The queue in which a paravirtual Linux guest batches its hypercalls. Counts, no times."""

from collections import Counter
from dataclasses import dataclass

from virtperf.errors import ParameterError

MAX_CALLS = 32
ARGUMENT_BYTES = 512
_ALIGNMENT_BYTES = 8
_MERGED_KINDS = ("mmu_update", "mmuext_op")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One multicall: an entry into the hypervisor with a list of calls.

    Attributes
    ----------
    calls : int
        Entries of the list, at least 1. Later kernels issue a batch of 1 as a plain hypercall.
    updates : int
        Page-table updates in the argument arrays of its ``mmu_update`` calls.
    argument_bytes : int
        Bytes of the argument buffer in use, padding included.
    """

    calls: int
    updates: int
    argument_bytes: int


class MulticallQueue:
    """Collect hypercalls until the buffer is full or the guest leaves lazy mode.

    Neighbouring ``mmu_update`` requests become one call with a longer array, and so do
    neighbouring ``mmuext_op`` requests. Arguments of a new call start at a multiple of 8 bytes.
    Linux keeps the argument buffer from ever being full to the last byte, so 31 updates of
    16 bytes fit, not 32. Outside of lazy mode a guest calls `flush` after each `add`.

    Parameters
    ----------
    max_calls : int
        Calls in a batch, at least 1.
    argument_bytes : int
        Size of the argument buffer in bytes, at least 1.

    Attributes
    ----------
    hypercalls, calls, updates : int
        Of all batches flushed so far; a hypercall is an entry into the hypervisor.
    batch_sizes : Counter of int
        How many batches had so many calls.

    Raises
    ------
    ParameterError
        If a limit is below 1.

    Examples
    --------
    >>> queue = MulticallQueue()
    >>> [queue.add(16, "mmu_update") for _ in range(3)]
    [None, None, None]
    >>> queue.add(0, "stack_switch")
    >>> queue.flush()
    Batch(calls=2, updates=3, argument_bytes=48)

    References
    ----------
    .. [1] Linux, ``arch/x86/xen/multicalls.c``, ``__xen_mc_entry`` and ``xen_mc_extend_args``;
       ``arch/x86/xen/mmu.c``, ``xen_extend_mmu_update``.
    """

    def __init__(self, max_calls: int = MAX_CALLS, argument_bytes: int = ARGUMENT_BYTES) -> None:
        if max_calls < 1:
            raise ParameterError("MulticallQueue", "max_calls", "at least 1", max_calls)
        if argument_bytes < 1:
            raise ParameterError("MulticallQueue", "argument_bytes", "at least 1", argument_bytes)
        self.max_calls = max_calls
        self.argument_bytes = argument_bytes
        self.hypercalls = self.calls = self.updates = 0
        self.batch_sizes: Counter[int] = Counter()
        self._calls = self._updates = self._used_bytes = 0
        self._last_kind = ""

    def __len__(self) -> int:
        """Calls that wait."""
        return self._calls

    def add(self, argument_bytes: int, kind: str) -> Batch | None:
        """Queue a request; return the batch that had to be flushed before it, if any.

        Parameters
        ----------
        argument_bytes : int
            What its arguments take of the buffer; a ``mmu_update`` takes 16.
        kind : str
            Name of the hypercall.

        Raises
        ------
        ParameterError
            If the arguments do not fit into an empty buffer, or `kind` is empty.
        """
        if not 0 <= argument_bytes < self.argument_bytes:
            rule = f"0 to {self.argument_bytes - 1} bytes"
            raise ParameterError("MulticallQueue.add", "argument_bytes", rule, argument_bytes)
        if not kind:
            raise ParameterError("MulticallQueue.add", "kind", "the name of a hypercall", kind)
        flushed = None
        start = self._used_bytes
        merges = (
            kind in _MERGED_KINDS
            and kind == self._last_kind
            and start + argument_bytes < self.argument_bytes
        )
        if not merges:
            start = -(-start // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
            if self._calls == self.max_calls or start + argument_bytes >= self.argument_bytes:
                flushed, start = self.flush(), 0
            self._calls += 1
        self._used_bytes = start + argument_bytes
        self._updates += kind == "mmu_update"
        self._last_kind = kind
        return flushed

    def flush(self) -> Batch | None:
        """Issue what waits, as on leaving lazy mode; return it, or None if nothing waits."""
        if not self._calls:
            return None
        batch = Batch(calls=self._calls, updates=self._updates, argument_bytes=self._used_bytes)
        self.hypercalls += 1
        self.calls += batch.calls
        self.updates += batch.updates
        self.batch_sizes[batch.calls] += 1
        self._calls = self._updates = self._used_bytes = 0
        self._last_kind = ""
        return batch
