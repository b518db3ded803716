"""Binary translation of the guest's kernel, as VMware had it before hardware helped.

User code runs directly. Kernel code is translated block by block, on demand, into a cache: most
instructions stay as they are; privileged ones become short sequences on the virtual CPU's state in
memory, or a callout into the monitor; returns and indirect branches need a look-up of where their
target is in the cache. Coming from user code into the kernel is the expensive part. An instruction
that keeps trapping, as a writer of page tables does, is translated again into a sequence that does
the hypervisor's work in place. (Adams and Agesen, ASPLOS 2006.)
"""

from collections.abc import Mapping

from virtperf.path import Path, Step, Transition, leave, work
from virtperf.technique.cpu.code import Code
from virtperf.technique.cpu.handed_on import HandedOn
from virtperf.technique.cpu.native import KERNEL, USER, further, native, process_switch
from virtperf.technique.cpu.sequence import sequence_ns

IN_CACHE, CALLOUT = "vcpu: in-cache sequence", "vcpu: callout"
VMM, LOOKUP = "vcpu: monitor", "vcpu: look-up of translated code"

_NAMED, _NUMBERED = ("ax", "cx", "dx", "bx", "bp", "si", "di"), range(8, 16)
REGISTERS = [f"r{name}" for name in (*_NAMED, *_NUMBERED)]
SAVE = (
    "\n".join(f"mov [vcpu.{one}], {one}" for one in REGISTERS)
    + """
    mov  [vcpu.rsp], rsp
    mov  rsp, [vcpu.monitor_stack]
    pushf
    pop  [vcpu.flags]
"""
)
"""What emulates an instruction reads the virtual CPU's registers, so they all must be there."""
RESTORE = """
    push [vcpu.flags]
    popf
    mov  rsp, [vcpu.rsp]
""" + "\n".join(f"mov {one}, [vcpu.{one}]" for one in REGISTERS)
INTERRUPT_FLAG = """
    and  [vcpu.flags], NOT_IF   ; CLI: no trap, one store to the virtual CPU
"""
POPF = """
    pop  rax
    mov  rcx, rax
    and  rcx, IF                ; the virtual interrupt flag
    mov  [vcpu.if], rcx
    and  rax, ARITHMETIC        ; the real flags, but not that one
    push rax
    popf
    test rcx, [vcpu.pending]
    jnz  deliver
"""
CR8_WRITE = """
    mov  [vcpu.rcx], rcx
    pushf
    pop  [vcpu.flags]
    mov  rcx, SOURCE
    test rcx, RESERVED          ; a fault natively
    jnz  general_protection
    mov  [vcpu.cr8], rcx
    shl  rcx, 4
    mov  [apic.tpr], rcx
    cmp  rcx, [apic.highest_pending]
    jl   deliver
    push [vcpu.flags]
    popf
    mov  rcx, [vcpu.rcx]
"""
PORT_READ = (
    SAVE
    + """
    movzx rdx, dx
    mov  rcx, [vcpu.iopl]       ; may it, at its privilege
    cmp  rcx, [vcpu.cpl]
    jl   general_protection
    look_up who serves this port
    test rdi, rdi
    jz   nobody
    mov  rsi, [rdi + device.state]
    call [rdi + device.read]    ; the device model, in the same address space
    push rbp
    mov  rbp, rsp
    push rbx
    mov  rbx, rsi
    cmp  [rbx + enabled], 0
    je   float
    lock inc [rbx + lock]       ; other virtual CPUs may be in it
    mov  rax, [rbx + latch]
    mov  [rbx + last_read], rax
    inc  [rbx + reads]
    lock dec [rbx + lock]
    and  rax, MASK
    pop  rbx
    pop  rbp
    ret
    mov  [vcpu.rax], rax
    add  [vcpu.rip], LENGTH
"""
    + RESTORE
)
PTE_WRITE = (
    SAVE
    + """
    lea  rsi, OPERAND           ; the registers still hold what the guest had in them
    mov  rax, SOURCE
    mov  [vcpu.value], rax
    look_up the guest's frame of this address
    look_up what watches this frame
    test rdi, rdi
    jz   not_watched
    mov  rbx, [rsi]             ; the old entry
    mov  rax, [vcpu.value]
    mov  [rsi], rax             ; the guest's own store
    cmp  rax, rbx
    je   same
"""
    + RESTORE
)
"""What becomes of an instruction that kept trapping, when it is translated again."""
SEQUENCES: Mapping[str, str] = {
    "interrupt_flag": INTERRUPT_FLAG,
    "popf": POPF,
    "cr8_write": CR8_WRITE,
    "port_read": PORT_READ,
}
CALLOUTS = ("cpuid", "msr_write", "ipi")
FROM_USER = ("syscall", "exception", "timer")


class BinaryTranslation(HandedOn):
    """Binary translation of kernel code (see `CpuTechnique`)."""

    def _work(self, where: str, key: str, account: str, counts: str = "", times: int = 1) -> Step:
        ns = self._costs.ns(key) * times
        return work(where, ns, account, masked=True, counts=counts, times=times)

    def _enter(self, where: str, reason: str) -> Step:
        return self._work(where, "vmm_entry", f"{VMM} {reason}", f"exits.{reason}")

    def _look_up(self, where: str) -> Step:
        return work(where, self._costs.ns("lookup"), LOOKUP)

    def _in_cache(self, where: str, listing: str) -> Step:
        return work(where, sequence_ns(self._costs, listing), IN_CACHE)

    def expand(self, transition: Transition, where: str) -> tuple[Step, ...]:
        """Return what a crossing is: into the monitor, or what was translated to do without."""
        if transition.name == "kernel":
            return (native(self._costs, transition.reason, where),)
        if transition.name == "switch":
            return (
                self._work(where, "callout", CALLOUT, "callouts.cr3-load"),
                process_switch(self._costs, where),
            )
        if transition.name == "reflect":
            return (self._look_up(where),)  # where the guest's handler is in the cache
        if transition.name == "trace":
            return (self._in_cache(where, PTE_WRITE),)
        if transition.name == "ipi" or transition.reason == "cr3-load":
            counts = f"callouts.{transition.reason}"
            return (self._work(where, "callout", CALLOUT, counts),)
        if transition.to == "user":  # the device model is in the monitor's own address space
            return (self._enter(where, transition.reason),)
        beyond = further(self._costs, transition, where, VMM)
        return (self._enter(where, transition.reason), *beyond)

    def code(self, code: Code, where: str) -> tuple[Step, ...]:
        """Return user code as it is; kernel code with its look-ups: most instructions stay."""
        look_ups = code.kernel / code.block * code.indirect_share
        return (
            work(where, code.user_ns, USER),
            work(where, code.kernel_ns, KERNEL),
            work(where, look_ups * self._costs.ns("lookup"), LOOKUP),
        )

    def operation(self, name: str, where: str) -> tuple[Step, ...]:
        """Return the sequence, callout, look-up or trip into the monitor that it becomes."""
        if name in SEQUENCES:
            return (self._in_cache(where, SEQUENCES[name]),)
        if name in CALLOUTS:
            says = f"callouts.{name.replace('_', '-')}"
            return (self._work(where, "callout", CALLOUT, says),)
        alone = native(self._costs, name, where)
        if name == "return":
            return (alone, self._look_up(where))
        if name == "halt":
            return (*self.expand(leave("hlt", "blocking"), where), alone)
        if name in FROM_USER:
            entered = self._enter(where, name)
            return (entered, alone) if name == "syscall" else (entered, self._look_up(where), alone)
        return (alone,)

    def handled(self) -> Path:
        """Return no steps: the end of an interrupt is a store in translated code."""
        return ()
