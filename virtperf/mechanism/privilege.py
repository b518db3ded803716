"""Protection rings and mode switches, and the ring a guest kernel is left with.

Every transition is a pure function of a frozen `Cpu`. What a transition costs is not known here.
"""

from dataclasses import dataclass, replace

from virtperf.errors import ParameterError
from virtperf.mechanism.isa import Isa

KERNEL, USER = 0, 3  # rings of x86: where a native kernel and its users run


@dataclass(frozen=True, slots=True, order=True)
class Mode:
    """How privileged a CPU runs.

    Attributes
    ----------
    ring : int
        Privilege level, 0 the most privileged.
    root : bool
        Whether in VT-x root mode. Without virtualization extensions a CPU is always in it.
    """

    ring: int
    root: bool = True

    def __post_init__(self) -> None:
        if not KERNEL <= self.ring <= USER:
            raise ParameterError("Mode", "ring", f"{KERNEL} to {USER}", self.ring)

    def __str__(self) -> str:
        return f"ring {self.ring}, {'root' if self.root else 'non-root'}"


@dataclass(frozen=True, slots=True)
class Cpu:
    """Where a CPU is, and where it has to return to.

    Attributes
    ----------
    mode : Mode
        Where it runs now.
    host, guest : tuple of int
        Interrupted rings of root and of non-root mode, the latest last. While the CPU is in root
        mode, the last of `guest` is the ring the guest goes on in.
    """

    mode: Mode = Mode(USER)
    host: tuple[int, ...] = ()
    guest: tuple[int, ...] = ()


def system_call(cpu: Cpu) -> Cpu:
    """Enter the kernel of this mode on purpose, from any less privileged ring.

    Under VT-x a guest's system call enters the guest's kernel: the hypervisor has no part in it.
    Of a guest without privilege, in root mode, it enters the hypervisor's ring 0.

    Raises
    ------
    ParameterError
        In ring 0: a kernel does not call itself.
    """
    if cpu.mode.ring == KERNEL:
        raise _no("system_call", "in a ring outside of ring 0", cpu)
    return _enter_kernel(cpu)


def fault(cpu: Cpu) -> Cpu:
    """Enter the kernel of this mode because an instruction could not be executed; may nest."""
    return _enter_kernel(cpu)


def interrupt(cpu: Cpu) -> Cpu:
    """Enter the kernel of this mode for a device; may nest.

    In non-root mode this is an interrupt that was injected: one of a real device is taken to
    cause a `vm_exit` first, as hypervisors set VT-x up.
    """
    return _enter_kernel(cpu)


def return_from(cpu: Cpu) -> Cpu:
    """Go back to what the last system call, fault or interrupt of this mode interrupted.

    Raises
    ------
    ParameterError
        Outside of ring 0, or if nothing was interrupted.
    """
    saved = _saved(cpu)
    if cpu.mode.ring != KERNEL or not saved:
        raise _no("return_from", "in ring 0 with something to return to", cpu)
    return _move(cpu, saved[-1], saved[:-1])


def return_to(cpu: Cpu, ring: int) -> Cpu:
    """Go on in another ring instead: how a monitor hands a trap to the guest's own kernel.

    Raises
    ------
    ParameterError
        Outside of ring 0, or if nothing was interrupted.
    """
    back = return_from(cpu)
    return replace(back, mode=Mode(ring, cpu.mode.root))


def vm_exit(cpu: Cpu) -> Cpu:
    """Leave the guest for the hypervisor, from any ring of non-root mode.

    Raises
    ------
    ParameterError
        In root mode: there is no guest to leave.
    """
    if cpu.mode.root:
        raise _no("vm_exit", "in non-root mode", cpu)
    return Cpu(Mode(KERNEL), cpu.host, (*cpu.guest, cpu.mode.ring))


def vm_entry(cpu: Cpu) -> Cpu:
    """Go on with the guest where it left; a guest that never ran starts in its ring 0.

    Raises
    ------
    ParameterError
        Unless in ring 0 of root mode.
    """
    if cpu.mode != Mode(KERNEL):
        raise _no("vm_entry", "in ring 0 of root mode", cpu)
    ring = cpu.guest[-1] if cpu.guest else KERNEL
    return Cpu(Mode(ring, root=False), cpu.host, cpu.guest[:-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a guest kernel runs once it has lost ring 0.

    Attributes
    ----------
    kernel, user : str
        Privilege levels of the guest's kernel and of its users, in the words of the ISA.
    shared : bool
        Whether both are the same level. Then only separate page tables keep them apart, and each
        system call and each return switches between them.
    reason : str
        Why.
    """

    kernel: str
    user: str
    shared: bool
    reason: str


def deprivileged(isa: Isa, kernel_bits: int, ring: int | None = None) -> Placement:
    """Return where a guest kernel runs without hardware support for virtualization.

    Parameters
    ----------
    isa : Isa
        The real machine's.
    kernel_bits : int
        Width of the guest kernel, in bits.
    ring : int, optional
        The privilege level asked for, 0 the most privileged; without it, the best there is.

    Raises
    ------
    ParameterError
        If no kernel of that width runs there, or the monitor could not protect itself from a
        kernel in that ring.

    References
    ----------
    .. [1] Xen Interface Manual for x86, Xen v3.0, "Virtual Architecture".
    .. [2] J. Fitzhardinge, "xen64: allocate and manage user pagetables", Linux d6182fbf0416, 2008.
    """
    if kernel_bits not in isa.kernel_bits:
        legal = " or ".join(map(str, isa.kernel_bits))
        raise ParameterError("deprivileged", "kernel_bits", f"{legal} on {isa.name}", kernel_bits)
    limits = kernel_bits in isa.segment_limit_bits
    last = len(isa.rings) - 1
    # Pages tell two kinds of access apart: the last level is "user", all before are "supervisor".
    # So a kernel before the last is safe from its users, and the monitor needs segment limits
    # to be safe from that kernel.
    best = 1 if limits and last > 1 else last
    chosen = best if ring is None else ring
    if chosen > last or chosen < best:
        legal = f"{best} to {last}" if best < last else str(last)
        must = f"{legal}, since {_why(isa, kernel_bits, best == last)}"
        raise ParameterError("deprivileged", "ring", must, chosen)
    return Placement(
        kernel=isa.rings[chosen],
        user=isa.rings[last],
        shared=chosen == last,
        reason=_why(isa, kernel_bits, chosen == last),
    )


def _why(isa: Isa, bits: int, shared: bool) -> str:
    """Return why a guest kernel has to share the level of its users, or why it need not."""
    user = isa.rings[-1]
    if bits in isa.segment_limit_bits and shared:
        return f"it was put in {user}, although segment limits would allow a ring of its own"
    if bits in isa.segment_limit_bits:
        return (
            "segment limits keep the monitor out of the guest kernel's reach, and supervisor "
            f"pages keep the kernel out of the reach of {user}"
        )
    return (
        f"{bits}-bit code on {isa.name} has no segment limits, and pages tell only supervisor "
        f"from user: anything more privileged than {user} could write the monitor's memory"
    )


def _enter_kernel(cpu: Cpu) -> Cpu:
    return _move(cpu, KERNEL, (*_saved(cpu), cpu.mode.ring))


def _saved(cpu: Cpu) -> tuple[int, ...]:
    return cpu.host if cpu.mode.root else cpu.guest


def _move(cpu: Cpu, ring: int, saved: tuple[int, ...]) -> Cpu:
    """Change the ring within root or within non-root mode."""
    mode = Mode(ring, cpu.mode.root)
    return (
        replace(cpu, mode=mode, host=saved) if mode.root else replace(cpu, mode=mode, guest=saved)
    )


def _no(transition: str, must: str, cpu: Cpu) -> ParameterError:
    return ParameterError(transition, "cpu", must, str(cpu.mode))
