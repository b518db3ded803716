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
# # 3. Who runs, and who waits?
#
# More threads want to run than there are pCPUs. The hypervisor's scheduler decides, and on a
# consolidated host its decisions are most of the tail of the latency. The notebook defines no
# model: policies are `virtperf list policies`, their constants `virtperf show credit`, and what
# each does is in [docs/scheduling.md](../docs/scheduling.md).
#
# ## The same three threads under three policies
#
# A web server beside VMs that compute, on two pCPUs. Who gets a pCPU when the server wakes?

# %%
import matplotlib.pyplot as plt

from virtperf import Scenario, catalog, compare, plot
from virtperf.experiment import record

REQUESTS, REPLICATIONS = 12_000, 4
neighbours = Scenario.load("noisy-neighbour")
for name in ("round-robin", "credit", "eevdf"):
    print(name, "-", catalog.scheduler(name).title if name != "round-robin" else "no constants")
recordings = {
    name: record(neighbours.with_("host.policy", name), requests=800)
    for name in ("round-robin", "credit", "eevdf")
}
shortest = min(one.time for one in recordings.values()) / 1000  # ns
plot.schedules(recordings, end_ns=min(shortest, 3e7), title="who had each pCPU")

# %% [markdown]
# Round robin lets the server wait for slices of others. Xen's credit scheduler boosts it, but not
# before the one that runs has had a millisecond (`ratelimit`). EEVDF runs it at once, for it is
# owed time. In numbers:

# %%
versus = compare(
    neighbours,
    {"host.policy": ["round-robin", "pinned", "credit", "credit2", "cfs", "eevdf"]},
    requests=REQUESTS,
    replications=REPLICATIONS,
    band=False,
)
for point in versus.labels:
    mean, noise = versus.value(point, "latency.mean.web unit")
    steal, _ = versus.value(point, "steal.web[0].vcpu0")
    rate, _ = versus.value(point, "preemptions.rate")
    print(
        f"{point:26} mean {mean / 1e3:7.1f} +- {noise / 1e3:5.1f} us   steal {steal:6.1%}   "
        f"{rate:6.0f} preemptions/s"
    )

# %% [markdown]
# `steal` is what the guest's own tools show: the share of time in which its vCPU wanted a pCPU and
# had none. A guest that is mostly asleep can have a bad latency and little of it.
#
# ## Overcommit: when does p99 break?

# %%
overcommit = Scenario.load("overcommit")
crowd = compare(
    overcommit,
    {"host.policy": ["credit", "eevdf", "pinned"], "vm.count": [4, 8, 16, 20, 24]},
    requests=REQUESTS,
    replications=REPLICATIONS,
    band=False,
)
plot.response(crowd, "vm.count", "latency.p99")

# %% [markdown]
# The mean hardly moves while the host is below 80 %; the tail has doubled by then. Pinning splits
# four pCPUs into four queues, and the longest of four queues is the tail.
#
# ## A cap is not a speed
#
# 0.4 pCPUs for a server that would use 0.43. What matters is how often the cap is looked at:
# Xen's credit scheduler parks for whole accounting periods, credit2 has budgets of 10 ms, Linux'
# bandwidth control periods of 100 ms.

# %%
capped = Scenario.load("cap-burstiness")
policies = ("credit", "credit2", "cfs")
stalls = {name: record(capped.with_("host.policy", name), requests=5_000) for name in policies}
plot.schedules(stalls, end_ns=2e8, title="a web server with a cap of 0.4 pCPUs")

# %%
caps = compare(
    capped,
    {"host.policy": list(policies), "vm.cap": [0.3, 0.4, 0.5, 0.8]},
    requests=REQUESTS,
    replications=REPLICATIONS,
    band=False,
)
plot.response(caps, "vm.cap", "latency.mean")

# %% [markdown]
# ## The back end must win a pCPU too
#
# A disk request goes through an I/O thread, and that thread is scheduled like everybody else. Two
# ratelimits of a millisecond, one for the I/O thread and one for the vCPU, are most of its time.

# %%
backend = Scenario.load("starved-backend")
result = compare(
    backend,
    {"host.policy": ["credit", "credit2", "cfs", "eevdf"]},
    requests=REQUESTS,
    replications=REPLICATIONS,
    band=False,
)
for point in result.labels:
    mean, _ = result.value(point, "latency.mean.disk read")
    waits, _ = result.value(point, "wake_to_run.mean.iothread")
    print(
        f"{point:22} a read takes {mean / 1e3:7.0f} us, its I/O thread waits {waits / 1e3:6.0f} us"
    )

# %% [markdown]
# ## Polling instead of sleeping, spinning instead of yielding
#
# A vCPU that halts can be polled for by its host, at the price of CPU time; a vCPU that spins for a
# lock whose holder has lost its pCPU can be made to leave its guest.

# %%
halting = compare(
    Scenario.load("halt-polling"),
    {"vm.halt_poll.max": ["10us", "50us", "100us", "200us"]},
    requests=REQUESTS,
    replications=REPLICATIONS,
    band=False,
)
for point in halting.labels:
    mean, _ = halting.value(point, "latency.mean")
    cpu, _ = halting.value(point, "cpu_per_request.total")
    print(f"{point:26} mean {mean / 1e3:6.1f} us for {cpu / 1e3:6.1f} us of CPU")
axes = plot.cdf(halting)

# %%
locks = Scenario.load("lock-holder-preemption")
timeline = record(locks, requests=2_000)
ax = plot.schedules({locks.name: timeline}, end_ns=min(2e7, timeline.time / 1000))

# %% [markdown]
# ## Waiting for vCPUs that do not run, sharing a core with one that does
#
# Who unmaps memory waits until every other vCPU of its process has flushed its TLB: also for one
# that has lost its pCPU, unless the hypervisor does it for those. And where two pCPUs are threads
# of a core, each is slower while the other is busy.

# %%
flushes = compare(
    Scenario.load("tlb-shootdown"),
    {"vm[0].pv_tlb_flush": [False, True]},
    requests=REQUESTS,
    replications=REPLICATIONS,
    band=False,
)
threads = compare(
    Scenario.load("smt-siblings"),
    {"host.smt": [False, True], "host.pcpus": [4, 8]},
    requests=REQUESTS,
    replications=REPLICATIONS,
    band=False,
)
for result, metric in ((flushes, "latency.mean.threads unit"), (threads, "latency.mean")):
    for point in result.labels:
        mean, _ = result.value(point, metric)
        print(f"{point:32} mean {mean / 1e3:7.1f} us")
plot.breakdown(threads)

# %%
print(f"{len(plt.get_fignums())} figures; the rest is in docs/scheduling.md")
