"""How much memory page tables take: closed forms, no state."""

from collections.abc import Iterable

from virtperf.errors import ParameterError
from virtperf.mechanism.memory.page_table import ENTRIES, TABLE_BYTES, leaf_pages

PAGE_BYTES = 4096
KVM_SHADOW_PERMILLE, KVM_SHADOW_LEAST = 20, 64
"""KVM's bound of shadow pages: 2 % of the guest's frames, at least 64 (Linux, kvm_host.h)."""


def dense_tables(size_bytes: int, level: int = 1, levels: int = 4) -> int:
    """Return how many tables map `size_bytes` from address 0 on, each byte once.

    Parameters
    ----------
    size_bytes : int
        A multiple of the leaf's size.
    level : {1, 2, 3}
        Level of the leaves: 4 KiB, 2 MiB, 1 GiB.
    levels : {4, 5}

    Returns
    -------
    int
        The sum over levels of the size over what a table of that level spans, rounded up.

    Raises
    ------
    ParameterError
        If the size is no multiple of the leaf's.

    Examples
    --------
    >>> dense_tables(1 << 30), dense_tables(1 << 30, level=3)
    (515, 2)
    """
    leaf_bytes = leaf_pages(level) * PAGE_BYTES
    if size_bytes < 1 or size_bytes % leaf_bytes:
        rule = f"a multiple of {leaf_bytes} bytes"
        raise ParameterError("dense_tables", "size_bytes", rule, size_bytes)
    spans = (ENTRIES**above * PAGE_BYTES for above in range(level, levels + 1))
    return sum(-(-size_bytes // span) for span in spans)


def shadow_bytes(tables: Iterable[int], gfn_arrays: bool = True) -> int:
    """Return the memory of shadow tables, given how many each process has.

    Parameters
    ----------
    tables : iterable of int
        Per process: shadow tables of all levels. Processes that share memory share none of them.
    gfn_arrays : bool
        Whether each goes with 4 KiB of guest frame numbers, as in KVM.
    """
    return sum(tables) * TABLE_BYTES * (2 if gfn_arrays else 1)


def kvm_shadow_limit(guest_frames: int) -> int:
    """Return the most shadow tables KVM keeps for a guest of so many 4 KiB frames."""
    return max(KVM_SHADOW_LEAST, guest_frames * KVM_SHADOW_PERMILLE // 1000)


def xen_shadow_bytes(memory_bytes: int, vcpus: int) -> int:
    """Return Xen's default pool of shadow memory: 1 MiB per vCPU and 8 KiB per MiB of guest.

    Examples
    --------
    >>> xen_shadow_bytes(4 << 30, vcpus=4) >> 20
    36
    """
    return (vcpus << 20) + (memory_bytes >> 20) * (8 << 10)
