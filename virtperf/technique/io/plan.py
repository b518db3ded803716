"""What a disk technique answers with: threads, locks, doorbells and one path per kind of request.

Names are local to the VM: ``vcpu`` issues the request, ``handler`` is the vCPU that takes the
completion interrupts of its queue (``handler.interrupt`` is its interrupt level), then ``device``,
its ``link``, and what the plan itself adds. Where a plan has tasks, ``dom0`` is the vCPU of the
driver domain that runs those of a queue, and its softirqs; ``dom0.interrupt`` is its interrupt
level. The path of a request begins on the vCPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from virtperf.dist import Deterministic, Distribution
from virtperf.path import Bell, Hold, Path, Step, end, ring, serve, work
from virtperf.technique.io.dma import NO_IOMMU, Dma


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """What the guest does natively for one request, and what the device takes.

    Attributes
    ----------
    user, submit, complete : float
        CPU time of the application, of the kernel before the device, and after it, in ns.
    service : mapping of str to Distribution
        Service time of the device by kind of request (``read``, ``write``), in ns.
    transfer : float
        Time of the request's data on the device's link, in ns; 0 if the link is no limit.
    poll : float, optional
        Longest poll window of an I/O thread in ns; the platform's by default.
    queues : int
        Queues of the disk.
    threads : int
        Host threads that serve them, where there may be several.
    section : Path
        What the kernel does under a lock that all of the guest's processes share.
    dma : Dma
        How the device's DMA is translated.
    polled : bool
        Whether the driver looks at the device until it is done, and asks for no interrupt.
    words : int
        Words of 16 bits that are moved by programmed I/O, each by an instruction; 0: by DMA.
    strings : bool
        Whether it moves them by string instructions.
    size : int
        Bytes of a request.
    ring_pages : int
        Pages of each ring of a split driver.
    grants : str
        How a driver domain gets at the data.
    others : int
        Vcpus of the driver domain beside the one that serves a queue.
    batched : bool
        Whether the driver tells the device once of all that a process submits together.
    """

    user: float
    submit: float
    complete: float
    service: Mapping[str, Distribution]
    transfer: float = 0.0
    poll: float | None = None
    queues: int = 1
    threads: int = 1
    section: Path = ()
    dma: Dma = NO_IOMMU
    polled: bool = False
    words: int = 0
    strings: bool = False
    size: int = 4096
    ring_pages: int = 1
    grants: str = "persistent"
    others: int = 0
    batched: bool = False

    @property
    def tells(self) -> Hold:
        """How a request's doorbell is rung: at once, or when all of the batch are in the ring."""
        return "defer" if self.batched else "async"

    def issue(self) -> Path:
        """Return the work on the vCPU before the driver touches the device."""
        return (
            work("vcpu", self.user, "vcpu: guest user"),
            *self.section,
            work("vcpu", self.submit, "vcpu: guest kernel"),
        )

    def device(self, kind: str, *, hold: Hold = "async") -> Path:
        """Return the stay at the device and its link; all techniques meet the same draws."""
        served = serve("device", self.service[kind], "device", purpose=f"device/{kind}", hold=hold)
        if not self.transfer:
            return (served,)
        return (served, serve("link", Deterministic(self.transfer), "device link"))

    def served(self, kind: str, *, before: Path = (), walks: Path = ()) -> Path:
        """Return the stay at the device, to its interrupt or until a driver that polls sees it.

        A driver that polls keeps its CPU, so whoever submits also handles the completion.
        """
        way = (*before, *self.device(kind), *walks)
        if not self.polled:
            return (*way, ring("irq"))
        return tuple(replace(step, hold="spin") for step in way if isinstance(step, Step))

    def reap(self) -> Path:
        """Return the work of the interrupt's handler, and the end."""
        return (work("handler", self.complete, "vcpu: guest kernel"), end())


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A host thread beside the vCPUs, or several equal ones.

    Attributes
    ----------
    name, role : str
    count : int
        How many there are of it; queue k of the disk is served by thread k mod `count`.
    wake, prologue, epilogue, pickup : Path
        Work when woken, at the start of a turn, after a batch, and when polling found something.
    batch : int
        Requests it takes per turn at most; 0 is no limit.
    poll, poll_start : float
        Longest window in ns before it sleeps, and the first step of one that adapts itself.
    endless : bool
        Whether it polls for ever, and never sleeps; then it has no window.
    lock : str
        Lock it holds whenever it does not sleep, or "".
    """

    name: str
    role: str
    count: int = 1
    wake: Path = ()
    prologue: Path = ()
    epilogue: Path = ()
    pickup: Path = ()
    batch: int = 0
    poll: float = 0.0
    poll_start: float = 0.0
    endless: bool = False
    lock: str = ""

    def of(self, queue: int) -> str:
        """Return the name of the thread that serves a queue, by its number."""
        return self.name if self.count == 1 else f"{self.name}{queue % self.count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A kernel thread of the driver domain, one for each queue of the disk.

    Attributes
    ----------
    name : str
    batch : int
        Requests it takes before others of its vCPU have their turn; 0 is no limit.
    """

    name: str
    batch: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """What a request holds from its submission to its completion: a tag, an entry of a ring.

    Attributes
    ----------
    name : str
    count : int
        How many there are, per queue of the disk.
    """

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A disk technique's answer.

    Attributes
    ----------
    paths : mapping of str to Path
        One path per kind of request.
    bells : tuple of Bell
    threads : tuple of Thread
    locks : tuple of str
        Locks of the VM's own process, barging like pthread mutexes.
    slots : Slots, optional
        What limits the requests that a queue has under way.
    stations : tuple of str
        Servers of the VM's own, one request at a time.
    tasks : tuple of Task
        Threads in the driver domain.
    spinlocks : tuple of str
        Locks of the VM's own whose waiters spin, first come first served.
    queue_locks : tuple of str
        The same, one for each queue.
    """

    paths: Mapping[str, Path]
    bells: tuple[Bell, ...]
    threads: tuple[Thread, ...] = ()
    locks: tuple[str, ...] = ()
    slots: Slots | None = None
    stations: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    spinlocks: tuple[str, ...] = ()
    queue_locks: tuple[str, ...] = ()
