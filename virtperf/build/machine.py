"""A copy of a VM under construction: its vCPUs, its jobs, and what its devices share.

Devices have threads, doorbells and stations of their own. QEMU's main loop and its big lock are
there once; disks may share an I/O thread; a domain of Xen has one grant table.
"""

from virtperf.build import computing, dom0
from virtperf.build.computing import Computing
from virtperf.build.site import Site
from virtperf.path import Transition, switch_process
from virtperf.scenario import Vm
from virtperf.technique import matrix
from virtperf.technique.cpu import CpuTechnique, cpu_technique
from virtperf.technique.io import Thread

KICK = Transition(name="hypercall", reason="kick-vcpu")


class Machine:
    """A copy of a VM, with its vCPUs.

    Parameters
    ----------
    site : Site
    vm : Vm
    name : str
        Of the copy.

    Attributes
    ----------
    cpu : CpuTechnique
    vcpus : tuple of str
    units : Computing, optional
        What a load computes, alone or before each request.
    """

    def __init__(self, site: Site, vm: Vm, name: str) -> None:
        self.site, self.vm, self.name = site, vm, name
        self.cpu: CpuTechnique = cpu_technique(vm.cpu.technique, site.costs_of(vm))
        self.vcpus = tuple(f"{name}.vcpu{number}" for number in range(vm.vcpus))
        self._jobs, self._devices = 0, 0
        self._shared: set[str] = set()
        if any(technique in matrix.SPLIT for technique in vm.techniques):
            dom0.of(site)  # it is there before its guests are
        locks = (getattr(load, "lock", None) for load in vm.loads)
        halts = any(lock is not None and lock.discipline == "paravirtual" for lock in locks)
        kick = (KICK,) if halts else ()
        self.units: Computing | None = None
        if vm.computes is not None:
            self.units = computing.add(site, vm, name, kick=kick)
            return
        for vcpu in self.vcpus:
            site.add_vcpu(vm, name, vcpu, self.cpu, (switch_process(),), kick)

    def scope(self, at: str) -> str:
        """Return what names the parts of the device `at`: the VM's copy, and the device if needed.

        A VM's only device needs no name of its own.
        """
        devices = len(self.vm.on_disks) + (self.vm.nic is not None)
        return f"{self.name}.{at}" if devices > 1 else self.name

    def next_job(self) -> tuple[str, int]:
        """Return name and number of the next process; jobs are dealt to the vCPUs in turn."""
        number, self._jobs = self._jobs, self._jobs + 1
        return f"{self.name}.job{number}", number

    def next_device(self) -> int:
        """Return which vCPU takes the interrupts of the next device's first queue.

        A kernel gives each interrupt to the CPU that has fewest, so devices begin in turn.
        """
        number, self._devices = self._devices, self._devices + 1
        return number % self.vm.vcpus

    def first(self, name: str) -> bool:
        """Return whether nobody asked for `name` before: what devices share is added once."""
        if name in self._shared:
            return False
        self._shared.add(name)
        return True

    def add_thread(self, thread: Thread, number: int, scope: str, shared: str = "") -> str:
        """Add one of the equal host threads of a device, unless it is shared and there; name it.

        The main loop, which holds the big lock, is the VM's; a `shared` name is that of a thread
        of several disks.
        """
        called = f"{scope}.{thread.of(number)}"
        if thread.lock:
            called = f"{self.name}.{thread.name}"
        elif shared:
            called = f"{self.name}.{thread.name}.{shared}"
        if self.first(called):
            self.site.add_thread(self.vm, self.name, thread, called, self.cpu)
        return called

    def add_mutex(self, called: str) -> None:
        """Add a lock of the VM's own process, QEMU, unless it is there."""
        if self.first(f"{self.name}.{called}"):
            wake_ns = self.site.costs.ns("thread_wake_delay")
            self.site.assembly.lock(f"{self.name}.{called}", called=called, wake_ns=wake_ns)

    def add_spinlock(self, called: str) -> None:
        """Add a lock of the VM's kernel or of its domain whose waiters spin, unless it is there."""
        if self.first(f"{self.name}.{called}"):
            add_spinlock(self.site, f"{self.name}.{called}", called)


def add_spinlock(site: Site, name: str, called: str) -> None:
    """Add a lock of the guest's kernel, or of a hypervisor, whose waiters spin."""
    site.assembly.lock(name, called=called, wake_ns=0.0, discipline="ticket")
