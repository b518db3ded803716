"""Direct access in a built system: IOMMUs as stations, and what DMA takes of each VM's requests.

What depends on all devices behind an IOMMU together, the misses of its IOTLB, comes from a run of
`mechanism.iommu` with their streams of requests.
"""

from typing import cast

from virtperf.build import net_dma
from virtperf.build.site import Site
from virtperf.mechanism.iommu.traffic import Maps, Stream, misses
from virtperf.mechanism.memory.pages import PAGE_SHIFT, PageSize
from virtperf.scenario import ClosedLoad, Device, Disk, Vm
from virtperf.technique import matrix
from virtperf.technique.io.dma import EACH, INVALIDATIONS, WALKS, Dma, Mode


def mode_of(disk: Disk) -> Mode:
    """Return the mode of a disk's IOMMU: its own, or what goes with its technique."""
    return disk.iommu or cast(Mode, matrix.default_iommu(disk.technique))


def add_iommus(site: Site) -> None:
    """Add the stations of every IOMMU in use: its walkers, and its queue of invalidations."""
    disks = [site.scenario.device[disk.device].iommu for disk in _translated(site)]
    for name in dict.fromkeys((*disks, *net_dma.behind(site))):
        walkers = site.costs.count("iommu_walkers")
        site.assembly.station(f"{name} walks", max(1, walkers), called=WALKS)
        site.assembly.station(f"{name} invalidations", 1, called=INVALIDATIONS)


def local_names(site: Site, disk: Disk) -> dict[str, str]:
    """Return what the stations of a disk's IOMMU are called, by their names in paths."""
    iommu = site.scenario.device[disk.device].iommu
    return {WALKS: f"{iommu} walks", INVALIDATIONS: f"{iommu} invalidations"}


def most_queues(site: Site, disk: Disk) -> int:
    """Return how many queues a virtual function has; 0 is no limit."""
    device = site.scenario.device[disk.device]
    return (device.vf_queues or 0) if disk.technique == "sriov" else 0


def dma_of(site: Site, vm: Vm) -> Dma:
    """Return how the DMA of a VM's disk is translated, and what that does to its requests."""
    disk, load = vm.on_disk
    if disk.technique not in matrix.DIRECT:
        return Dma()
    mode, device = mode_of(disk), site.scenario.device[disk.device]
    per_flush, full = _shared(site, vm, device) if mode.endswith("deferred") else (1.0, False)
    limit = disk.vf_bandwidth
    return Dma(
        mode=mode,
        pages=-(-load.size_bytes >> PAGE_SHIFT),
        misses=_misses(site, vm) if _is_translated(vm) else 0.0,
        per_flush=per_flush,
        full=full,
        posted=disk.posted,
        limit=0.0 if limit is None else 1e9 * load.size_bytes / limit,
    )


def rate_of(site: Site, vm: Vm, device: Device) -> float:
    """Return the requests per second that a VM makes at most, all its copies' device being theirs.

    Of a closed load: as many as are under way, over the time each takes of CPU and device alone.
    """
    _, load = vm.on_disk
    service = sum(share * device.service_of(kind).mean for kind, share in load.shares.items())
    most = 1e9 * device.channels_quantity.base / service if service else float("inf")
    gap = load.gap()
    if gap is not None:
        return min(most, load.jobs * 1e9 / gap.mean)
    assert isinstance(load, ClosedLoad), "others have gaps"
    parts = ((load.cpu_user, "native_user"), (load.cpu_kernel, "native_kernel"))
    cpu = sum(site.costs.ns(key) if own is None else own.base for own, key in parts)
    alone = max(1.0, service + cpu + load.think.mean)
    by_cpu = 1e9 * vm.vcpus / cpu if cpu else float("inf")
    return min(most, by_cpu, 1e9 * load.jobs * load.outstanding / alone)


def _shared(site: Site, vm: Vm, device: Device) -> tuple[float, bool]:
    """Return how many unmaps share a flush, and whether the full queue is what makes it.

    All CPUs that take interrupts of the disk fill queues of their own; a flush is for all.
    """
    disk, _ = vm.on_disk
    places = site.costs.count("flush_queue") - 1
    cpus = min(vm.vcpus, disk.queues or vm.vcpus, most_queues(site, disk) or vm.vcpus)
    in_time = rate_of(site, vm, device) * site.costs.ns("flush_timeout") / 1e9
    full = in_time >= places * cpus
    return max(1.0, float(places * cpus) if full else in_time), full


def _misses(site: Site, vm: Vm) -> float:
    """Return the IOTLB misses per request of each copy of a VM."""
    behind = site.scenario.device[vm.on_disk[0].device].iommu
    streams: list[Stream] = []
    first = 0
    for other in site.scenario.vm:
        if other is vm:
            first = len(streams)
        if _is_translated(other) and site.scenario.device[other.on_disk[0].device].iommu == behind:
            streams += [_stream(site, other)] * other.count
    entries = site.costs.count("iotlb_entries")
    rates = misses(tuple(streams), entries)[first : first + vm.count]
    return sum(rates) / len(rates)


def _stream(site: Site, vm: Vm) -> Stream:
    disk, load = vm.on_disk
    mode = mode_of(disk)
    under_way = site.scenario.device[disk.device].channels_quantity.base
    if isinstance(load, ClosedLoad):
        under_way = load.jobs * load.outstanding
    buffers = under_way if disk.buffers is None else disk.buffers // load.size_bytes
    page = "4KiB" if vm.memory is None else vm.memory.host_page
    kinds: dict[bool, Maps] = {True: "deferred", False: "strict"}
    return Stream(
        maps=kinds[mode.endswith("deferred")] if mode in EACH else "static",
        page=PageSize.of(page),
        pages=-(-load.size_bytes >> PAGE_SHIFT),
        buffers=max(1, int(buffers)),
        ring=site.costs.count("nvme_commands") + 1,
    )


def _translated(site: Site) -> list[Disk]:
    return [vm.on_disk[0] for vm in site.scenario.vm if _is_translated(vm)]


def _is_translated(vm: Vm) -> bool:
    """Return whether a VM's device goes through tables; natively a static map is none."""
    disk = vm.disk
    if disk is None or disk.technique not in matrix.DIRECT:
        return False
    mode = mode_of(disk)
    return mode != "none" and not (disk.technique == "native" and mode == "static")
