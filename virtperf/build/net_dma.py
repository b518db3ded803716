"""How the DMA of a VM's NIC is translated, as `on_iommu` says it of disks."""

from typing import cast

from virtperf.build import on_iommu
from virtperf.build.net_load import Use, offered
from virtperf.build.site import Site
from virtperf.mechanism.iommu.traffic import Maps, Stream, misses
from virtperf.mechanism.memory.pages import PAGE_SHIFT, PageSize
from virtperf.scenario import Vm
from virtperf.technique import matrix
from virtperf.technique.io.dma import EACH, INVALIDATIONS, WALKS, Dma, Mode


def mode_of(vm: Vm) -> Mode:
    """Return the mode of an interface's IOMMU: its own, or what goes with its technique."""
    nic, _ = vm.on_nic
    return nic.iommu or cast(Mode, matrix.default_iommu(nic.technique, "nic"))


def behind(site: Site) -> list[str]:
    """Return the IOMMUs that translate for NICs."""
    return [site.scenario.nic[vm.nic.device].iommu for vm in _translated(site) if vm.nic]


def local_names(site: Site, vm: Vm) -> dict[str, str]:
    """Return what the stations of a NIC's IOMMU are called, by their names in paths."""
    nic, _ = vm.on_nic
    iommu = site.scenario.nic[nic.device].iommu
    return {WALKS: f"{iommu} walks", INVALIDATIONS: f"{iommu} invalidations"}


def dma_of(site: Site, vm: Vm, use: Use) -> Dma:
    """Return how the DMA of a VM's NIC is translated, and what that does to its messages."""
    nic, _ = vm.on_nic
    if nic.technique not in matrix.DIRECT:
        return Dma()
    mode = mode_of(vm)
    per_flush, full = _shared(site, vm, use) if mode.endswith("deferred") else (1.0, False)
    return Dma(
        mode=mode,
        misses=_misses(site, vm, use) if _is_translated(vm) else 0.0,
        per_flush=per_flush,
        full=full,
        posted=on_iommu.posted(site, vm, nic.technique, nic.posted, "nic"),
    )


def _shared(site: Site, vm: Vm, use: Use) -> tuple[float, bool]:
    """Return how many unmaps share a flush, and whether the full queue is what makes it."""
    nic, load = vm.on_nic
    places = (site.costs.count("flush_queue") - 1) * (nic.queues or vm.vcpus)
    line = 1e9 / site.scenario.nic[nic.device].rate
    packets = max(one.packets for one in use.messages)
    unmaps = offered(load, use, line) / packets * len(use.messages)
    in_time = unmaps * site.costs.ns("flush_timeout") / 1e9
    full = in_time >= places
    return max(1.0, float(places) if full else in_time), full


def _misses(site: Site, vm: Vm, use: Use) -> float:
    """Return the IOTLB misses per message of each copy of a VM; disks there are not counted."""
    nic, _ = vm.on_nic
    iommu = site.scenario.nic[nic.device].iommu
    mates = sum(
        other.count
        for other in _translated(site)
        if other.nic and site.scenario.nic[other.nic.device].iommu == iommu
    )
    mode, under_way = mode_of(vm), max(1, use.outstanding) * vm.on_nic[1].jobs
    largest = max(one.frame_bytes for one in use.messages)
    kinds: dict[bool, Maps] = {True: "deferred", False: "strict"}
    stream = Stream(
        maps=kinds[mode.endswith("deferred")] if mode in EACH else "static",
        page=PageSize.of("4KiB" if vm.memory is None else vm.memory.host_page),
        pages=max(1, -(-largest >> PAGE_SHIFT)),
        buffers=under_way,
        ring=site.scenario.nic[nic.device].ring or site.costs.count("nic_ring"),
    )
    rates = misses((stream,) * mates, site.costs.count("iotlb_entries"))
    return sum(rates) / len(rates)


def _translated(site: Site) -> list[Vm]:
    return [vm for vm in site.scenario.vm if _is_translated(vm)]


def _is_translated(vm: Vm) -> bool:
    """Return whether a VM's NIC goes through tables; natively a static map is none."""
    if vm.nic is None or vm.nic.technique not in matrix.DIRECT:
        return False
    mode = mode_of(vm)
    return mode != "none" and not (vm.nic.technique == "native" and mode == "static")
