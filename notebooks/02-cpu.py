# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2. What does it cost to virtualize a CPU?
#
# A guest's kernel believes that it owns the machine. How it is left in that belief, and what this
# costs, is the subject here. The notebook defines no model: every number comes from `virtperf`, and
# behind it is a file that says where it is from (`virtperf show p4-vmware-2006`).
#
# Two machines appear. **`p4-vmware-2006`** is the Pentium 4 of Adams and Agesen's comparison
# (ASPLOS 2006): its native costs and hardware transitions are published. **`x86-kvm-2020`** is a
# server of about 2020. What emulation, traps, binary translation and hypercalls cost there is
# mostly *assumed*, within stated ranges.
#
# ## Popek and Goldberg: is trapping enough?
#
# Take the kernel's privilege away. Instructions that need it trap, and a monitor can act. That is
# enough only if *every* sensitive instruction traps. Is it so?

# %%
import pandas as pd

from virtperf import catalog, plot
from virtperf.mechanism.code_cache import CodeCache
from virtperf.mechanism.interrupts import MONITORS, example_popf, run
from virtperf.mechanism.isa import isa, names, virtualizable
from virtperf.mechanism.privilege import deprivileged
from virtperf.mechanism.program import loop_program
from virtperf.mechanism.translator import Translator
from virtperf.plot.cpu_data import priced, slowdowns
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import cpu_technique
from virtperf.technique.cpu.operations import OPERATIONS
from virtperf.technique.cpu.workload import once
from virtperf.technique.memory import default_memory, memory_technique
from virtperf.validation.published import outcomes

P4, SERVER = catalog.platform("p4-vmware-2006"), catalog.platform("x86-kvm-2020")
WORKLOADS = [catalog.workload(name) for name in catalog.names("workloads")]

for name in names():
    print(virtualizable(isa(name)))
for name, bits in (("x86-32", 32), ("x86-64", 64)):
    place = deprivileged(isa(name), bits)
    print(f"{name}: kernel in {place.kernel}, users in {place.user}, since {place.reason}")

# %% [markdown]
# None of the three is. And a 64-bit kernel that has lost ring 0 ends up in the ring of its own
# users: each system call then has to go through the hypervisor. Remember that for hypercalls.
#
# ## POPF under five monitors
#
# The guest masks interrupts, saves its flags, lets interrupts in for a while, and restores the
# flags. It believes that interrupts are masked again. Then one comes. Who delivers it all the
# same?

# %%
program, arrivals = example_popf()
seen = [run(program, monitor, arrivals) for monitor in MONITORS]
plot.interrupt_flags(seen, program, title="Which monitor sees the flag restored?")
for one in seen:
    wrong = ", ".join(f"{each.kind} by {each.cause}" for each in one.violations)
    print(f"{one.monitor:20}traps {one.traps}   {wrong or 'correct'}")

# %% [markdown]
# Trap and emulate pays for three traps (CLI and both STI) and is wrong all the same, because POPF
# does not trap. Every other technique exists to close this hole.
#
# ## What one operation costs
#
# On the Pentium 4, in cycles. First the model, then beside the measurements that were published.
# The model was given native costs, an exit, an entry into the monitor and a look-up. It was *not*
# given the totals below, but the in-cache sequences (the port read and the page-table write of
# binary translation) are counted from listings whose author knew them: read those two rows as an
# order of magnitude.


# %%
def cycles(operation, cpu, memory=None, platform=P4):
    """Return what an operation costs under a CPU and a memory technique."""
    costs = Costs(platform)
    tables = memory_technique(memory or default_memory(cpu, costs), costs)
    steps = once(OPERATIONS[operation], cpu_technique(cpu, costs), tables)
    return sum(step.cost.mean for step in steps) * platform["frequency"].base / 1e9


ways = ["direct", "trap-emulate", "binary-translation", "hardware"]
table = {way: {name: round(cycles(name, way)) for name in OPERATIONS} for way in ways}
print(pd.DataFrame(table).to_string(), end="\n\n")

published, rows = outcomes(), []
for name in ("exception", "port_read", "page_fault", "pte_write"):
    for short, way in (("hw", "hardware"), ("bt", "binary-translation")):
        told, model = published[f"adams06.{short}.{name}"].value, cycles(name, way)
        rows.append([name, way, told, round(model), f"{model / told - 1:+.0%}"])
head = ["operation", "technique", "published", "model", "error"]
print(pd.DataFrame(rows, columns=head).to_string(index=False), end="\n\n")

print("one page-table write into the same shadow table, by CPU technique:")
for way in ways[1:]:
    old, new = (cycles("pte_write", way, "shadow", machine) for machine in (P4, SERVER))
    print(f"  {way:20}{old:>8,.0f} cycles on the Pentium 4,{new:>7,.0f} on the server")

# %% [markdown]
# Errors of a third are normal here: enough to say *who* wins and *why*, not to price a machine.
# Read it by rows. System call: VT-x does nothing, translation enters the monitor. Port:
# translation is *quicker than the machine*, for the device is a few instructions away, while VT-x
# goes as far as another process. Page-table write: the same transition of the same shadow table
# has three prices, since a memory technique only names what happens, and the CPU technique prices
# it.
#
# ## From operations to workloads
#
# A workload says how many instructions a unit of it has, and how many of each operation. Slowdown
# is its time over that on the bare machine. Grey bars are the *parameter band*: all numbers at the
# low, all at the high end of their ranges.

# %%
SOFTWARE = ["trap-emulate", "binary-translation", "paravirtual"]
TECHNIQUES = ["direct", "interpreter", "dbt", "static", *SOFTWARE, "hardware+shadow", "hardware"]

plot.slowdown(P4, WORKLOADS, ["trap-emulate", "binary-translation", "hardware+shadow"])
plot.slowdown(SERVER, WORKLOADS, TECHNIQUES)
prices, _ = priced(SERVER, catalog.workload("fork-storm"), TECHNIQUES)
plot.time_by_cause(prices, title=f"fork-storm on {SERVER.name}")

# %% [markdown]
# `compute-bound` notices nothing but emulation: its instructions run directly. `fork-storm` lives
# on page-table writes and faults: with shadow tables VT-x of 2006 is the *slowest* of the three,
# slower than trap and emulate. Nested paging makes it native, as far as the CPU is concerned: what
# walks in two dimensions cost is the subject of notebook 04.
#
# ## A code cache that fits, and one that thrashes
#
# Translators keep what they have translated. A full cache is emptied as a whole, so a loop that is
# one block too large is translated anew on every pass.

# %%
loop = loop_program(100, instructions=5, size=20)  # 100 blocks of 20 bytes, which become 80
for room in (100, 99):
    counts = Translator(loop, CodeCache(80 * room, expansion=4)).execute_loop(loop.blocks, 50)
    print(f"room for {room} blocks: {counts.executed_blocks:,} executed,", end=" ")
    print(f"{counts.translated_blocks:,} translated, {counts.flushes} flushes")
plot.thrash()

# %% [markdown]
# ## Warm-up: static against dynamic
#
# Static translation takes the whole image before the start. Dynamic translation pays for what is
# executed, when it is met. How long must a program run until either is worth it?

# %%
plot.warm_up(SERVER, catalog.workload("web-server"))

# %% [markdown]
# Here static translation never catches up. It has translated what never runs, and an interpreter
# has to help where an indirect branch goes to what no analysis foresaw. What speaks for it in
# textbooks, better code from more time to optimize, is *not* in the model: code of both costs the
# same per instruction.
#
# ## A guest in a guest
#
# Hardware knows one hypervisor. An exit of the inner guest goes to the outermost one, which hands
# it to the one between, and that one's own privileged operations exit as well.

# %%
nested = ["hardware", "nested-hardware"]
one, two = (cycles("cpuid", way, platform=SERVER) for way in nested)
print(
    f"an exit: {one:,.0f} cycles; of a guest in a guest: {two:,.0f}, {two / one:.1f} times as many"
)
slower = {
    work.name: {way: found.value for way, found in slowdowns(SERVER, work, nested).items()}
    for work in WORKLOADS
}
print(pd.DataFrame(slower).T.round(2).to_string())

# %% [markdown]
# What does not exit costs nothing, however deep: `syscall-loop` is native even there.
# `idle-ticks`, which is nothing but timer interrupts and sleep, pays three exits for each.
#
# ## The essay: which technique wins, and when?
#
# *Compare binary translation, hypercalls and hardware assistance: how they work, their advantages
# and disadvantages, and where they fit.* The maps answer the last part. To the right, more of what
# exits; upwards, more kernel work, with the system calls it brings along.

# %%
plot.winner_map(P4)
plot.winner_map(SERVER)
contest = ["binary-translation", "paravirtual", "hardware+shadow", "hardware"]
value = {
    work.name: {way: found.value for way, found in slowdowns(SERVER, work, contest).items()}
    for work in WORKLOADS
}
print(pd.DataFrame(value).T.round(2).to_string())

# %% [markdown]
# * **Binary translation** needs neither a special CPU nor a changed guest. It pays at each entry
#   into the kernel and at each indirect branch of it, and with memory. It fits old machines and
#   guests that must not be touched, and it is at its best where others exit: ports, page tables.
# * **Hypercalls** need a ported kernel. Then nothing is translated and nothing traps by surprise,
#   and what can wait is batched. A 64-bit kernel pays at each system call. They fit open kernels
#   on any CPU.
# * **Hardware** needs a CPU that has it. What does not exit is native, what exits is dear. In 2006
#   page tables exited, and translation often won. Nested paging has ended that argument. The one
#   about ports it has not ended, which is why guests have paravirtual devices on top.
#
# ## Exercises
#
# 1. **The other way to be wrong.** Write a program (`virtperf.mechanism.interrupts.program`) in
#    which trap and emulate leaves an interrupt *pending while enabled*. Which instruction is to
#    blame?
# 2. **Break-even.** How many system calls weigh as much as one page-table write on the Pentium 4?
#    Take it from `cycles(...)`. The title of the map says fewer: what else comes along with a
#    system call there?
# 3. **Cheaper exits.** Make `exit_hardware` of the Pentium 4 a fifth (`P4.replace`,
#    `dataclasses.replace`). Is hardware with shadow paging now ahead of translation at
#    `fork-storm`? What would it need besides?
# 4. **A 32-bit paravirtual guest.** Set `guest_bits` of the server to 32. What becomes of
#    `syscall-loop` under `paravirtual`, and why?
# 5. **Your own guest.** Write a workload file as docs/cpu.md shows, price it under every
#    technique, and find the number that decides who wins.
