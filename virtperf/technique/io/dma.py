"""What a request's DMA takes besides the device: maps, IOTLB misses, unmaps, invalidations.

A static map costs no instruction per request; what is left are the misses of the IOTLB. A map of
its own gives each request an address before the device and takes it away behind it. Strictly, the
CPU then has the IOMMU forget the address, and spins until it has, interrupts off: its queue is one
server for all CPUs. Deferred, the address waits for others, and one flush is for all. What flushes,
the queue when it is full or its timer, and how many share it, follows from the rate; which request
is the last of them is drawn. An IOMMU that a guest sees is emulated: a map and an unmap each leave
the guest for its device model, which does the same to the host's (see `mechanism.iommu`).
"""

from dataclasses import dataclass
from typing import Literal, get_args

from virtperf.dist import Deterministic
from virtperf.path import Choice, Path, Spawn, Step, end, leave, lock, serve, unlock, work
from virtperf.technique.costs import Costs

Mode = Literal["none", "static", "strict", "deferred", "viommu-strict", "viommu-deferred"]
MODES: tuple[str, ...] = get_args(Mode)
EACH = ("strict", "deferred", "viommu-strict", "viommu-deferred")
"""Modes in which each request has a map of its own."""
WALKS, INVALIDATIONS = "iommu walks", "iommu invalidations"
BIG_LOCK = "big QEMU lock"
MAP, UNMAP = "vcpu: DMA map", "vcpu: DMA unmap"
CACHED_PAGES = 32  # of a range for which a CPU keeps addresses ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Dma:
    """How the DMA of a disk is translated.

    Attributes
    ----------
    mode : str
        One of `MODES`.
    pages : int
        4 KiB pages of a request's data.
    misses : float
        IOTLB misses per request.
    per_flush : float
        Unmaps that share a deferred flush.
    full : bool
        Whether the full queue flushes, in the request that fills it, or the timer.
    posted : bool
        Whether the device's interrupts are posted.
    limit : float
        Time that a request's data take at the rate a virtual function is limited to, in ns; 0 if
        it is not.
    """

    mode: Mode = "none"
    pages: int = 1
    misses: float = 0.0
    per_flush: float = 1.0
    full: bool = False
    posted: bool = False
    limit: float = 0.0


NO_IOMMU = Dma()


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """The parts of a request's path that are about DMA.

    Attributes
    ----------
    before, walks, after : Path
        On the vCPU before the device, at the IOMMU, and on the vCPU that handles the interrupt.
    locks : tuple of str
    """

    before: Path = ()
    walks: Path = ()
    after: Path = ()
    locks: tuple[str, ...] = ()


def maps(dma: Dma, costs: Costs) -> Maps:
    """Return what translation adds to a request."""
    walks = _walks(dma, costs)
    if dma.mode not in EACH:
        return Maps(walks=walks)
    seen = dma.mode.startswith("viommu")
    map_ns = costs.ns(_allocator(dma)) + costs.ns("iommu_map") + _further(dma, costs)
    before: Path = (work("vcpu", map_ns, MAP, counts="dma_maps"),)
    if seen:
        before = (*before, *_emulated("vcpu", _vfio("vcpu", "vfio_map", costs)))
    unmap_ns = costs.ns("iommu_unmap") + _further(dma, costs)
    if dma.mode.endswith("deferred"):
        unmap_ns += costs.ns("iova_queue")
    unmap = work("handler", unmap_ns, UNMAP, counts="dma_unmaps")
    return Maps(
        before=before,
        walks=walks,
        after=(unmap, *_invalidated(dma, costs, seen=seen)),
        locks=(BIG_LOCK,) if seen else (),
    )


def _allocator(dma: Dma) -> str:
    return "iova_alloc" if dma.pages <= CACHED_PAGES else "iova_alloc_tree"


def _further(dma: Dma, costs: Costs) -> float:
    return (dma.pages - 1) * costs.ns("iommu_map_page") if dma.pages > 1 else 0.0


def _walks(dma: Dma, costs: Costs) -> Path:
    """Return the walks of the tables, one after the other within a request."""
    ns = dma.misses * costs.ns("iotlb_miss") if dma.misses else 0.0
    return (serve(WALKS, Deterministic(ns), "IOTLB misses"),) if ns else ()


def _invalidated(dma: Dma, costs: Costs, *, seen: bool) -> Path:
    """Return what makes the IOMMU forget: at once, or for many together."""
    deferred = dma.mode.endswith("deferred")
    times = max(1, round(dma.per_flush)) if deferred else 1
    forget: Path = (_invalidation(costs),)
    if seen:
        forget = _emulated("handler", (*_vfio("handler", "vfio_unmap", costs, times), *forget))
    if not deferred:
        return forget
    if not dma.full:  # nobody waits for the timer's flush, but a CPU makes it
        forget = (Spawn(name="IOTLB flush", path=(*forget, end()), to="handler.interrupt"),)
    if dma.per_flush <= 1:
        return forget
    once = 1 / dma.per_flush
    return (Choice(branches=((once, forget), (1 - once, ())), purpose="IOTLB flush"),)


def _invalidation(costs: Costs) -> Step:
    """Return a command in the IOMMU's queue, and the spin until it is done."""
    return Step(
        kind="serve",
        where=INVALIDATIONS,
        cost=Deterministic(costs.ns("iotlb_invalidation")),
        account="IOTLB invalidation",
        hold="spin",
        masked=True,
    )


def _emulated(on: str, model: Path) -> Path:
    """Return the write that tells an emulated IOMMU, and what its device model does."""
    return (leave("viommu", "user", where=on), lock(BIG_LOCK), *model, unlock(BIG_LOCK))


def _vfio(on: str, what: str, costs: Costs, times: int = 1) -> Path:
    return (work(on, times * costs.ns(what), f"vcpu: {what}", masked=True),)
