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
# # 5. How does a request get out of a guest?
#
# A device has registers and reads memory. A guest has neither: somebody stands between. Who that
# is, on which thread, and how the two tell each other that there is something to do, is the *path*.
# `docs/io.md` is the page to read beside this notebook.
#
# ## One request
#
# The way of one read through an idle system, natively and through a few paths: which leg is new,
# and who pays for it?

# %%
from virtperf import Scenario, compare, plot
from virtperf.build import build
from virtperf.build.protection import protected
from virtperf.design import grid
from virtperf.result.payers import payers
from virtperf.technique import matrix, profiles
from virtperf.theory.way import way

ONE = Scenario.load("first-light")
for disk in ("native", "emulated-ahci", "virtio", "vhost-user-blk", "passthrough"):
    legs = way(build(ONE.with_("vm.disk", disk)))
    print(f"{disk:15} {legs[-1].start + legs[-1].ns:10,.0f} ns in {len(legs)} legs")

# %%
plot.sequence(way(build(ONE.with_("vm.disk", "virtio"))), title="one read through virtio")

# %% [markdown]
# ## Many requests
#
# Under load a path is a pipeline, and its slowest stage decides. One I/O thread serves all queues
# of virtio unless there are more; a polling core does little for each request; a device of one's
# own leaves the vCPUs alone.

# %%
BLOCK = Scenario.load("block-paths")
paths = compare(
    BLOCK,
    {
        "vm.disk": ["native", "emulated-nvme", "virtio", "vhost-user-blk", "passthrough"],
        "vm.load.outstanding": [1, 4, 16],
    },
    requests=4_000,
    replications=3,
    band=False,
)
plot.latency_throughput(paths, "vm.load.outstanding")

# %%
plot.payer_stack(paths)
payers(paths).set_index("point").round(0)

# %% [markdown]
# How many I/O threads?

# %%
threads = compare(
    BLOCK, {"vm.disk.iothreads": [1, 2, 4]}, requests=4_000, replications=3, band=False
)
plot.response(threads, "vm.disk.iothreads", "throughput")

# %% [markdown]
# ## Who is told, and when
#
# A kick is an exit, an interrupt costs the guest its place. Both are left out when the other side
# has said that it will look by itself: the event index. So both fall as load grows; an I/O thread
# that polls is hardly ever told at all, so here it does not.

# %%
told = compare(
    BLOCK.with_("vm.disk.poll", "0ns"),
    {"vm.load.outstanding": [1, 4, 16, 64]},
    requests=4_000,
    replications=3,
    band=False,
)
for metric in ("kicks_per_request", "interrupts_per_request"):
    print(metric, [round(told.value(point, metric)[0], 3) for point in told.labels])

# %% [markdown]
# ## Who reaches what
#
# A device that a guest owns does what the guest tells it, so something must keep it from the memory
# of others: an IOMMU.

# %%
for level in grid({"vm.disk": ["virtio", "passthrough"]}):
    for one in protected(Scenario.load("iommu-modes").with_all(level)):
        print(level["vm.disk"], "-> own:", one.reach.own, "| others:", one.reach.others)

# %% [markdown]
# ## Full virtualization or paravirtualization?
#
# The guide's question, over CPU, memory and I/O at once: a database transaction that computes,
# changes processes, faults and reads one block.

# %%
whole = compare(
    Scenario.load("whole-vm"),
    {"vm": list(profiles.names())},
    requests=4_000,
    replications=3,
    band=False,
)
plot.breakdown(plot.request_times(whole))
for name in profiles.names():
    mean, _ = whole.value(f"vm={name}", "latency.mean")
    change = len(profiles.profile(name).change)
    print(f"{name:14} {mean / 1e3:7.1f} us, {change} kinds of change in the guest")

# %% [markdown]
# ## Exercises
#
# 1. At which depth does `vhost-blk` beat `virtio` in CPU time, and why is there hardly a difference
#    in throughput?
# 2. Give `passthrough` no posted interrupts (`vm.disk.posted=false`). Where do its exits come from?
# 3. Turn the guest's IOMMU on (`viommu-strict`). What is a mapped page worth in exits?
# 4. Which techniques can a ported guest not have? Ask `matrix.why_forbidden`.

# %%
for disk in matrix.disk_techniques():
    reason = matrix.why_forbidden("paravirtual", "ported", disk=disk)
    print(f"{disk:24} {reason or 'allowed'}")
