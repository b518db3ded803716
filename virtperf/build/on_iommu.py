"""Direct access in a built system: IOMMUs as stations, and what DMA takes of each VM's requests.

What depends on all devices behind an IOMMU together, the misses of its IOTLB, comes from a run of
`mechanism.iommu` with their streams of requests.
"""

from typing import cast

from virtperf.build import net_dma
from virtperf.build.site import Site
from virtperf.errors import ParameterError
from virtperf.mechanism.iommu.traffic import Exposure, Maps, Stream, exposure, misses
from virtperf.mechanism.memory.pages import PAGE_SHIFT, PageSize
from virtperf.scenario import ClosedLoad, Device, Disk, OnDisk, Vm
from virtperf.technique import matrix
from virtperf.technique.io.dma import EACH, INVALIDATIONS, WALKS, Dma, Mode


def mode_of(disk: Disk) -> Mode:
    """Return the mode of a disk's IOMMU: its own, or what goes with its technique."""
    return disk.iommu or cast(Mode, matrix.default_iommu(disk.technique))


def add_iommus(site: Site) -> None:
    """Add the stations of every IOMMU in use: its walkers, and its queue of invalidations."""
    disks = [site.scenario.device[use.disk.device].iommu for use in _translated(site)]
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


def dma_of(site: Site, use: OnDisk) -> Dma:
    """Return how the DMA of a VM's disk is translated, and what that does to its requests."""
    disk, load = use.disk, use.load
    if disk.technique not in matrix.DIRECT:
        return Dma()
    mode, limit, open_ = mode_of(disk), disk.vf_bandwidth, exposed(site, use)
    return Dma(
        mode=mode,
        pages=-(-load.size_bytes >> PAGE_SHIFT),
        misses=_misses(site, use) if _is_translated(use) else 0.0,
        per_flush=1.0 if open_ is None else open_.per_flush,
        full=open_ is not None and not open_.by_timer,
        posted=posted(site, use.vm, disk.technique, disk.posted, use.at),
        limit=0.0 if limit is None else 1e9 * load.size_bytes / limit,
    )


def posted(site: Site, vm: Vm, technique: str, asked: bool | None, kind: str) -> bool:
    """Return whether a device's interrupts are posted: its vCPUs, and the IOMMU, must know how.

    Raises
    ------
    ParameterError
        If the scenario has `asked` for it, of its disk or NIC, and the processor cannot.
    """
    costs = site.costs
    if technique not in matrix.GIVEN:
        return False
    able = vm.cpu.technique in matrix.TAKES_POSTED and bool(costs.count("apicv"))
    if asked is None:
        return able and bool(costs.count("interrupt_posting"))
    if asked and not able:
        must = f"false or left out on {costs.sets[0].name}, whose vCPUs take none (apicv)"
        raise ParameterError(f"{vm.name}.{kind}", "posted", must, True)
    return asked


def rate_of(site: Site, use: OnDisk, device: Device) -> float:
    """Return the requests per second that a VM makes at most, all its copies' device being theirs.

    Of a closed load: as many as are under way, over the time each takes of CPU and device alone.
    """
    load = use.load
    service = sum(share * device.service_of(kind).mean for kind, share in load.shares.items())
    most = 1e9 * device.channels_quantity.base / service if service else float("inf")
    gap = load.gap()
    if gap is not None:
        return min(most, load.jobs * 1e9 / gap.mean)
    assert isinstance(load, ClosedLoad), "others have gaps"
    parts = ((load.cpu_user, "native_user"), (load.cpu_kernel, "native_kernel"))
    cpu = sum(site.costs.ns(key) if own is None else own.base for own, key in parts)
    alone = max(1.0, service + cpu + load.think.mean)
    by_cpu = 1e9 * use.vm.vcpus / cpu if cpu else float("inf")
    return min(most, by_cpu, 1e9 * load.jobs * load.outstanding / alone)


def exposed(site: Site, use: OnDisk) -> Exposure | None:
    """Return how long unmapped pages stay open, at most the rate of the VM; None if they do not.

    All CPUs that take interrupts of the disk fill queues of their own; a flush is for all.
    """
    vm, disk = use.vm, use.disk
    if not mode_of(disk).endswith("deferred"):
        return None
    cpus = min(vm.vcpus, disk.queues or vm.vcpus, most_queues(site, disk) or vm.vcpus)
    rate = rate_of(site, use, site.scenario.device[disk.device])
    places, timeout = site.costs.count("flush_queue"), site.costs.ns("flush_timeout")
    return exposure(1e9 / rate, cpus, places, timeout)


def _misses(site: Site, use: OnDisk) -> float:
    """Return the IOTLB misses per request of a disk of each copy of a VM."""
    behind = site.scenario.device[use.disk.device].iommu
    streams: list[Stream] = []
    first = 0
    for other in _translated(site):
        if site.scenario.device[other.disk.device].iommu != behind:
            continue
        if (other.vm.name, other.at) == (use.vm.name, use.at):
            first = len(streams)
        streams += [_stream(site, other)] * other.vm.count
    entries = site.costs.count("iotlb_entries")
    rates = misses(tuple(streams), entries)[first : first + use.vm.count]
    return sum(rates) / len(rates)


def _stream(site: Site, use: OnDisk) -> Stream:
    vm, disk, load = use.vm, use.disk, use.load
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


def _translated(site: Site) -> list[OnDisk]:
    return [use for vm in site.scenario.vm for use in vm.on_disks if _is_translated(use)]


def _is_translated(use: OnDisk) -> bool:
    """Return whether a disk's device goes through tables; natively a static map is none."""
    disk = use.disk
    if disk.technique not in matrix.DIRECT:
        return False
    mode = mode_of(disk)
    return mode != "none" and not (disk.technique == "native" and mode == "static")
