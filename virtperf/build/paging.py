"""What it costs a workload that memory is short: of its guest, of its host, or of both.

The guests' data share what the host has as they need it. A host that pages out keeps a vCPU from
running while it reads a page back; a guest that pages, because it has little or because a balloon
has taken it, lets its other processes run meanwhile. How often that happens comes in closed form
(`mechanism.memory.short_memory`); what it costs, from the VM's techniques.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from virtperf.build.polling import for_all
from virtperf.build.site import Site
from virtperf.dist import Deterministic
from virtperf.errors import ParameterError
from virtperf.mechanism.memory import short_memory
from virtperf.mechanism.memory.pages import PageSize
from virtperf.mechanism.memory.resident import LEAST_PAGES
from virtperf.mechanism.memory.short_memory import NOTHING_MOVES, Moves
from virtperf.path import Bell, Choice, Hold, Path, Spawn, end, ring, serve, work
from virtperf.scenario import Vm
from virtperf.technique import matrix
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import CpuTechnique
from virtperf.technique.memory import MemoryTechnique

PAGE = PageSize.K4.bytes
PAGED_IN, RESUME = "paged-in", "resume"
MOST = 1_000  # pages that one unit may read or write: each is a stay at a disk
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """How short a process's memory is, and what follows.

    Attributes
    ----------
    pages : int
        Pages of its data.
    guest, host : int, optional
        Pages that guest and host have for it; None where they fit.
    moves : Moves
        Pages moved per visit of a page.
    visits : float
        Of pages, per unit.
    """

    pages: int
    guest: int | None = None
    host: int | None = None
    moves: Moves = NOTHING_MOVES
    visits: float = 0.0


def shortage(site: Site, vm: Vm, costs: Costs, memory: str) -> Shortage | None:
    """Return how short the memory of each process of a VM is; None if its data fit.

    Raises
    ------
    ParameterError
        If memory is short and something that paging needs is missing or cannot be.
    """
    if "data_footprint" not in costs:
        if vm.memory is not None and vm.memory.size is not None:
            must = f"left out: {vm.computes} does not say what data it works on"
            raise ParameterError(vm.name, "memory.size", must, f"{vm.memory.size / MIB:,.4g} MiB")
        return None
    pages = _pages(costs.quantity("data_footprint").base)
    guest, host = _limits(site, vm, pages)
    if guest is None and host is None:
        return None
    _check(site, vm, memory, guest, host)
    if "write_share" not in costs:
        must = "given where memory is short: what was written must be written out"
        raise ParameterError("workload", "write_share", must, None)
    skew = costs.share("skew") if "skew" in costs else 0.0
    moved = short_memory.moves(pages, skew, costs.share("write_share"), guest=guest, host=host)
    visits = costs.share("page_visits")
    return Shortage(pages=pages, guest=guest, host=host, moves=moved, visits=visits)


def path(site: Site, vm: Vm, short: Shortage, memory: MemoryTechnique, costs: Costs) -> Path:
    """Return what the shortage adds to a unit, on the vCPU and at the disks."""
    moved, visits = short.moves, short.visits
    total = visits * (moved.guest_reads + moved.host_reads)
    if total > MOST:
        must = f"so that a unit reads at most {MOST:,} pages back: choose a smaller unit"
        raise ParameterError("workload", "page_visits", must, f"{total:,.0f} of them")
    host_disk, guest_disk = site.scenario.host.swap or "", _guest_disk(site, vm)
    kernel = work("vcpu", costs.ns("native_kernel"), "vcpu: guest paging", counts="guest_major")

    def host_fault(number: int) -> Path:
        read = _disk(site, host_disk, "read", "host", f"read/{number}", hold="block")
        return (*memory.host_page_in(), *read)

    def guest_fault(number: int) -> Path:
        read = _disk(site, guest_disk, "read", "guest", f"read/{number}")
        if short.host is not None:  # what the page is read into lies on the host's disk
            read = (*_disk(site, host_disk, "read", "host", f"transfer/{number}"), *read)
        return (*memory.page_in(), kernel, *read, ring(PAGED_IN), ring(RESUME))

    return (
        *_often(visits * moved.host_faults, host_fault, "paging/host"),
        *_page_out(site, visits * moved.host_writes, host_disk, "host"),
        *_often(visits * moved.guest_reads, guest_fault, "paging/guest"),
        *_page_out(site, visits * moved.guest_writes, guest_disk, "guest"),
    )


def add_interrupts(
    site: Site, vm: Vm, short: Shortage, cpu: CpuTechnique, vcpu: str, job: str
) -> Mapping[str, str]:
    """Let the guest's disk interrupt `vcpu`, which goes on with `job`; return their names."""
    if not short.moves.guest_reads:
        return {}
    names = {name: f"{job}.{name}" for name in (PAGED_IN, RESUME)}
    told = Bell(
        name=PAGED_IN,
        to="",
        rule="always",
        costs=for_all(cpu.delivery(), vm),
        counts="paging_interrupts",
    )
    resumed = Bell(name=RESUME, to="", rule="always", costs={})
    site.assembly.bell(names[PAGED_IN], told, to=f"{vcpu}.interrupt", sender="", expand=cpu.expand)
    site.assembly.bell(names[RESUME], resumed, to=job, sender=vcpu, expand=cpu.expand)
    return names


def _limits(site: Site, vm: Vm, pages: int) -> tuple[int | None, int | None]:
    """Return the pages that guest and host have for a process, None where its data fit."""
    own = _own(vm, pages)
    guest = own if own < pages else None
    wanted = sum(_wanted(other) for other in site.scenario.vm)
    have = site.scenario.host.memory
    if have is None or wanted * PAGE <= have:
        return guest, None
    host = max(1, own * have // (wanted * PAGE))
    ballooned = site.scenario.host.reclaim == "balloon"
    return (host, None) if ballooned or vm.cpu.technique in matrix.HOSTLESS else (guest, host)


def _wanted(vm: Vm) -> int:
    """Return the pages that all copies of a VM want of the host."""
    workload = vm.workload
    if workload is None or "data_footprint" not in workload:
        return 0
    pages = _pages(workload["data_footprint"].base)
    return vm.count * computing_jobs(vm) * _own(vm, pages)


def computing_jobs(vm: Vm) -> int:
    """Return how many processes of a VM work on data of their own: those of its workload."""
    return 0 if vm.computing is None else vm.computing.jobs


def _own(vm: Vm, pages: int) -> int:
    """Return how many of its pages a process has as far as its guest is concerned."""
    size = None if vm.memory is None else vm.memory.size
    return pages if size is None else min(pages, size // PAGE)


def _pages(footprint: float) -> int:
    return max(1, -(-int(footprint) // PAGE))


def _guest_disk(site: Site, vm: Vm) -> str:
    """Return the disk a guest pages to; a kernel that is the host's has the host's."""
    own = None if vm.memory is None else vm.memory.swap
    return own or (site.scenario.host.swap if vm.cpu.technique in matrix.HOSTLESS else "") or ""


def _check(site: Site, vm: Vm, memory: str, guest: int | None, host: int | None) -> None:
    """Refuse a shortage that cannot be, or lacks a disk."""
    least = min(pages for pages in (guest, host) if pages is not None)
    if least < LEAST_PAGES:
        must = f"enough that a process has the {LEAST_PAGES} pages that one instruction may need"
        own = _own(vm, LEAST_PAGES) < LEAST_PAGES
        owner, field = (vm.name, "memory.size") if own else ("host", "memory")
        raise ParameterError(owner, field, must, f"{least} of 4 KiB for one of {vm.name}")
    if host is not None and memory == "direct":
        must = "balloon for direct tables: what they name, the hypervisor cannot take away"
        raise ParameterError("host", "reclaim", must, site.scenario.host.reclaim)
    for field in ("guest_page", "host_page"):
        size = "4KiB" if vm.memory is None else getattr(vm.memory, field)
        if size != "4KiB":
            must = "4KiB where memory is short: large pages are split before they are paged out"
            raise ParameterError(vm.name, f"memory.{field}", must, size)
    if host is not None and site.scenario.host.swap is None:
        have = (site.scenario.host.memory or 0) / MIB
        short = f"given: the guests want more than its {have:,.0f} MiB"
        raise ParameterError("host", "swap", short, None)
    if guest is not None and not _guest_disk(site, vm):
        must = f"given: a process has {guest * PAGE / MIB:,.0f} MiB, less than its data"
        raise ParameterError(vm.name, "memory.swap", must, None)


def _disk(
    site: Site, name: str, direction: str, whose: str, which: str, *, hold: Hold = "async"
) -> Path:
    """Return one transfer of a page, by a draw of its own; all techniques meet the same draws."""
    device = site.scenario.device[name]
    site.costs.used[f"device.{name}.channels"] = device.channels_quantity
    account, purpose = f"{whose} paging disk", f"paging/{whose}/{which}"
    served = serve(name, device.service_of(direction), account, purpose=purpose, hold=hold)
    if device.bandwidth is None:
        return (served,)
    link = Deterministic(1e9 * PAGE / device.bandwidth)
    return (served, serve(f"{name}.link", link, account, hold=hold))


def _page_out(site: Site, number: float, disk: str, whose: str) -> Path:
    """Return writes that nobody waits for: they only keep the disk busy."""

    def write(number: int) -> Path:
        written = (*_disk(site, disk, "write", whose, f"write/{number}"), end())
        return (Spawn(name=f"{whose} page-out", path=written),)

    return _often(number, write, f"paging/{whose}-out")


def _often(number: float, each: Callable[[int], Path], purpose: str) -> Path:
    """Return each of `number` events; what is left of a number that is not whole, by chance."""
    whole = int(number)
    rest = number - whole
    always = tuple(part for index in range(whole) for part in each(index))
    if rest < 1e-9:
        return always
    return (*always, Choice(branches=((rest, each(whole)), (1 - rest, ())), purpose=purpose))
