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
# # 4. What does it cost to virtualize memory?
#
# A guest has page tables; they say *guest-physical*, and somebody has to say *machine*. Either the
# hypervisor keeps tables that say both at once (TLB emulation, shadows, direct tables), or the
# hardware walks two trees (nested paging). Every count here is exact and made by running the
# mechanism; `docs/memory.md` is the page to read beside it.
#
# ## One walk
#
# Four levels of the guest, and each of its tables lies at an address that takes a walk of the
# host's four levels to find.

# %%
import pandas as pd

from virtperf import Scenario, catalog, compare, plot
from virtperf.mechanism.memory import PageSize
from virtperf.mechanism.memory.address_space import AddressSpace
from virtperf.mechanism.memory.nested_paging import NestedPaging
from virtperf.mechanism.memory.pmap import PMap
from virtperf.mechanism.memory.processors import names, processor
from virtperf.mechanism.memory.shadow import ShadowPaging
from virtperf.mechanism.memory.steps import references, walk_steps
from virtperf.mmu import misses_of_every_size
from virtperf.plot import memory_data, paging_data
from virtperf.stream import Uniform, Zipf, generate, load_trace, part_of

for number, step in enumerate(walk_steps(PageSize.K4, PageSize.K4), start=1):
    print(f"{number:3} {step.dimension:6}{step.table:6}-> {step.finds}")

# %% [markdown]
# 24 reads of tables, and the 25th access is to the data. How many are left depends on the pages of
# *either* side, and on what walk caches remember. Predict the row `2M on 4K` before you look.

# %%
PART = processor("skylake-sp")
for guest in PageSize:
    row = [references(walk_steps(guest, host)) for host in (None, *PageSize)]
    print(f"guest {guest.label}: native {row[0]}, on 4K {row[1]}, on 2M {row[2]}, on 1G {row[3]}")
plot.walk_references(memory_data.walks(PART), title=f"Random pages of 64 GiB: {PART.title}")

# %% [markdown]
# ## Who walks at all?
#
# A TLB hit costs a guest nothing. So first: how often does a program miss? One pass over a stream
# tells it for every size of a TLB at once. `sort` is a real program; the other two are declared.

# %%
STREAMS = {
    "sort": part_of(load_trace(catalog.root() / "traces" / "sort.zst", limit=10_000_000), "data"),
    "Zipf, 1 GiB": next(generate(Zipf(footprint_bytes=1 << 30, exponent=1.0), 300_000, seed=1)),
    "uniform, 16 MiB": next(generate(Uniform(footprint_bytes=16 << 20), 300_000, seed=1)),
}
curves = {name: misses_of_every_size(words) for name, words in STREAMS.items()}
for name, curve in curves.items():
    shares = [curve.misses(size) / curve.lookups for size in (16, 64, 1536)]
    print(f"{name:16} misses with 16, 64, 1536 entries: " + "  ".join(f"{s:.3%}" for s in shares))
frames = pd.concat([curve.frame(name) for name, curve in curves.items()])
plot.miss_ratio_curve(frames, marks={"L1": 64, "L2": 1536})

# %% [markdown]
# ## What a miss costs
#
# A walk is a chain of reads. Upper levels are in the L1; the last ones are not, for every page of
# 4 KiB has 8 bytes of table, and twice that when nested. Below, accesses to random pages; the
# vertical lines are what each TLB level reaches.

# %%
SIZES = memory_data.FOOTPRINTS[1::2]
cost = memory_data.by_footprint(PART, footprints=SIZES)
plot.footprint_cost(cost, marks=memory_data.reaches(PART), title=PART.title)
last = {way: points[-1][1] for way, points in cost.items()}
print(f"64 GiB: nested 4K on 4K takes {last['4K on 4K'] / last['4K']:.1f} times the native walk,")
print(f"and with 2 MiB on both sides {last['2M on 2M'] / last['4K']:.2f} times.")

# %% [markdown]
# Six times as many reads, two to three times the cycles: walk caches do their work. And large pages
# on one side only do little, as the TLB entry covers the smaller page.
#
# ## Hidden faults
#
# Now the software. Three processes take turns and grow. TLB emulation forgets at each switch; a
# shadow remembers, but watches the guest's tables; under nested paging the guest is left alone.

# %%
faults = paging_data.faults()
plot.faults_over_time(faults)
for technique, slices in faults.items():
    print(f"{technique:14}{paging_data.leaving(technique, slices):6,} faults and calls leave")

# %% [markdown]
# Why has `D`, which comes when `A` has ended, no violations under nested paging?
#
# ## Tables take memory
#
# Shadows are kept for each process. The second dimension is one tree, and with large pages it is
# next to nothing.

# %%
plot.table_memory(paging_data.tables(), paging_data.bounds())
for pages in (512, 5_120, 51_200):
    vm, space = ShadowPaging(PMap(1 << 16)), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, 0, 0, pages)
    vm.sweep(space, 0, pages)
    print(
        f"{pages:7,} pages: {vm.counts.tables:4} shadow tables, {vm.counts.hidden_missing:,} fills"
    )

# %% [markdown]
# ## Tags
#
# Without tags a switch empties the TLB, and each page of the next process costs a walk. Under
# nested paging this walk has two dimensions.

# %%
plot.switch_cost(memory_data.by_switch_rate(PART, quanta=(100, 300, 1000, 3000, 10_000)))
tagged = [name for name in names() if processor(name).pcid]
print("tags for processes (PCID):", ", ".join(tagged))

# %% [markdown]
# ## When memory is short
#
# Pages that do not fit come back from a disk. How often is a closed form of LRU; what a fault takes
# is the business of the VM's techniques. Four key-value stores want 1 GiB of a host that has
# 576 MiB.

# %%
crowd = compare(
    Scenario.load("memory-overcommit").with_("vm.memory.size", "192MiB"),
    {"host.reclaim": ["swap", "balloon"], "vm.count": [2, 3, 4]},
    requests=13_000,
    replications=3,
    band=False,
)
plot.response(crowd, "vm.count", "latency.p99")
crowd.memory.pivot_table(index="quantity", columns="point", values="value")

# %% [markdown]
# Why do four guests do so much better with balloons? Look at the pages that are paged twice.

# %% [markdown]
# ## Exercises
#
# 1. A guest has 2 MiB pages, its host 4 KiB ones. How many violations does it take to touch 1 GiB?
#    And the other way round? Check with `NestedPaging(PMap(1 << 18, level=...))`.
# 2. Leave table entries a tenth of the data caches (`by_footprint(share=0.1)`). Which lines move?
# 3. On `nehalem`, 2 MiB pages have 32 entries and no second level. Find a stream that misses more
#    with large pages than with small ones.
# 4. Change `Play` so that TLB emulation has fewer faults than shadows. What do your processes do?

# %%
for level in (1, 2):
    vm, space = NestedPaging(PMap(1 << 18, level=level)), AddressSpace("A")
    vm.switch_to(space)
    vm.map(space, 0, 0, 1 << 18, level=3 - level)
    vm.sweep(space, 0, 1 << 18)
    sides = ("2M on 4K", "4K on 2M")[level - 1]
    print(f"exercise 1, {sides}: {vm.counts.violations:,} violations")
