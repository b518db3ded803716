"""The claims of paging techniques: faults, exits and tables that arithmetic knows, and forks."""

from __future__ import annotations

from functools import partial
from typing import Any

from virtperf.validation.claim import Claim
from virtperf.validation.cpu_claims import HARDWARE
from virtperf.validation.memory_claims import EXACT, EXACTLY
from virtperf.validation.paging_runs import (
    IMAGE,
    P4,
    XEN,
    direct_exits,
    forkwait,
    forkwait_exits,
    population,
    shadow_exits,
    slower_2003,
    traced,
    updates,
    without_exit,
)

_TRACED = ("tlb-emulation.mapped",)
_DEMAND = ("demand.faults",)
_SYNC = (*_DEMAND, "demand.interval")
_IMAGE = f"images.{IMAGE}"
_XEN = (_IMAGE, f"{XEN}.hypercall", f"{XEN}.pt_update", f"{XEN}.trap_reflect")
_P4 = (_IMAGE, *HARDWARE, f"{P4}.inject", f"{P4}.native_pte_write")
_FACTOR = (
    "the image is assumed, and so is what an update costs that comes in one hypercall with others "
    "(0.3 us; alone it is 0.97); over the image's range "
)
_BATCHES = (
    "the published time, divided by what one update costs in a hypercall of its own, stands here "
    "for comparison: "
)
_GUEST_OF_2006 = (
    "which guest it was, and what that monitor did with tables its guest had freed. If it went on "
    "watching them, the next process's are built in them: 88 exits on top of the 245. A guest with "
    "PAE writes an entry in two stores: 94 more, and then 85. That makes 512. And natively this "
    "fork took 570,000 cycles, the one of 2003, whose image this is, 264,000: it did about twice "
    "as much. Of all this nothing is published, so nothing of it is in the prediction"
)


def _count(
    says: str, outcome: str, inputs: tuple[str, ...], predict: Any, why: str = EXACT
) -> Claim:
    return Claim(
        says=says,
        outcome=outcome,
        inputs=inputs,
        predict=predict,
        tolerance=EXACTLY,
        why=why,
        kind="law",
    )


def _exits(says: str, outcome: str, inputs: tuple[str, ...], **options: Any) -> Claim:
    return _count(
        f"exits for a first touch, shadow tables: {says}",
        f"first_touch.{outcome}",
        inputs,
        partial(shadow_exits, options),
    )


_EMULATION = tuple(
    _count(f"{who}: {kind}", f"trace.{technique}.{what}", _TRACED, partial(traced, technique, what))
    for technique, who in (
        ("emulated", "TLB emulation under two processes that take turns"),
        ("shadow", "a shadow table for each of the two processes"),
    )
    for what, kind in (
        ("true_faults", "true faults"),
        ("hidden_missing", "hidden faults on pages not filled yet"),
        ("hidden_dirty", "hidden faults on pages filled read-only"),
    )
)
_FIRST_TOUCH = (
    _exits("an entry is dropped when it is written", "drop", _DEMAND, on_write="drop"),
    _exits("it is updated instead", "update", _DEMAND),
    _exits("and absent pages fault into the guest", "bypass", _DEMAND, bypass="in-sync"),
    _exits("leaf tables may be out of sync", "unsync", _SYNC, out_of_sync=None),
    _exits(
        "and absent pages fault into the guest where the table is in sync",
        "unsync_bypass",
        _SYNC,
        out_of_sync=None,
        bypass="in-sync",
    ),
    _exits(
        "and out of sync too, which no hardware could know: a bound",
        "unsync_ideal",
        _SYNC,
        out_of_sync=None,
        bypass="ideal",
    ),
    _count(
        "of 40 first touches under nested tables that know the frames, those without an exit",
        "first_touch.nested",
        _DEMAND,
        without_exit,
    ),
    Claim(
        says="transitions for a first touch, direct tables: a bounced fault and a hypercall",
        outcome="first_touch.direct",
        inputs=_DEMAND,
        predict=direct_exits,
        tolerance=EXACTLY,
        why=EXACT,
    ),
)
_FORKS = (
    Claim(
        says="Xen: by how much a fork, exit and wait of a stated process is slower",
        outcome="barham03.fork.more",
        inputs=_XEN,
        predict=partial(slower_2003, "fork"),
        factor=1.5,
        why=_FACTOR + "54 to 135 us",
    ),
    Claim(
        says="that fork's updates of table entries, beside those that 0.97 us each would imply",
        outcome="barham03.fork.updates",
        inputs=(_IMAGE,),
        predict=partial(updates, "fork"),
        factor=1.5,
        why=_BATCHES + "a fork asks for more of them, ten in a hypercall",
        lacks="nothing that is known: these updates come in batches and cost less each. Were every "
        "one 0.97 us, the time above would be missed by a factor of two",
    ),
    Claim(
        says="Xen: by how much mapping a file, touching a part and unmapping it is slower",
        outcome="barham03.mmap.more",
        inputs=_XEN,
        predict=partial(slower_2003, "mmap"),
        factor=1.5,
        why=_FACTOR + "45 to 88 us. The size of the file was chosen so that the native time leaves "
        "room for its faults",
    ),
    Claim(
        says="that mapping's updates of table entries, beside those that 0.97 us each would imply",
        outcome="barham03.mmap.updates",
        inputs=(_IMAGE,),
        predict=partial(updates, "mmap"),
        factor=1.5,
        why=_BATCHES + "half of them come one by one, with a fault; half in one batch at the end",
    ),
    Claim(
        says="VT-x of 2006 with shadow paging: exits of a fork, exit and wait",
        outcome="adams06.forkwait.exits",
        inputs=(_IMAGE,),
        predict=forkwait_exits,
        factor=1.5,
        why="the image is assumed, the kernel's pages in it too; over its range 140 to 424",
        lacks=_GUEST_OF_2006,
    ),
    Claim(
        says="VT-x of 2006 with shadow paging: by how much a fork, exit and wait is slower",
        outcome="adams06.forkwait.more",
        inputs=_P4,
        predict=forkwait,
        factor=1.5,
        why="the image is assumed; it is the one that the forks of Xen are foretold with",
        lacks=_GUEST_OF_2006,
    ),
)
_POPULATION = tuple(
    _count(
        f"512 GiB touched once, nested, host pages of {size}: {says}",
        f"population.{what}_{size}",
        ("population.gib",),
        partial(population, level, what),
    )
    for level, size in ((1, "4K"), (2, "2M"), (3, "1G"))
    for what, says in (("violations", "violations"), ("bytes", "bytes of the second table"))
)
PAGING_CLAIMS = (*_EMULATION, *_FIRST_TOUCH, *_FORKS, *_POPULATION)
