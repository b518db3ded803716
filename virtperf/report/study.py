"""The runs behind a report: one request at a time, and the load from one VM to eight."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtperf.units import TICKS_PER_NS

if TYPE_CHECKING:
    from virtperf.result import Result
    from virtperf.scenario import Scenario
    from virtperf.tables import Timeline

TECHNIQUES = ("native", "emulated-ide", "emulated-ahci", "emulated-nvme", "virtio")
"""Disk techniques of a report, one of each kind; `compare` tells the others apart."""
COUNTS = (1, 2, 4, 8)
COUNTED = 20_000  # twice what p99 needs, per replication
SPARE = 12_000  # for the warm-up, which is cut off
RECORDED = 300  # requests of which the last 200 us are drawn
DEFAULT = ("first-light", "first-light-qd32")

Progress = Callable[[float, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What a report is written from.

    Attributes
    ----------
    quiet, busy : Scenario
        One request at a time, and the load.
    alone : Result
        `quiet` with each of `TECHNIQUES`.
    crowd : Result
        `busy` with each of `TECHNIQUES`, from one VM to eight.
    zero : mapping of technique to (mapping of account to ns)
        Theory's latency of one request, by account.
    counters : mapping of technique to (mapping of counter to count)
        Theory's exits, kicks and interrupts of one request.
    timeline : Timeline
        A recording of `busy` through virtio, with one VM.
    """

    quiet: Scenario
    busy: Scenario
    alone: Result
    crowd: Result
    zero: Mapping[str, Mapping[str, float]]
    counters: Mapping[str, Mapping[str, float]]
    timeline: Timeline


def conduct(scenarios: Sequence[Scenario], progress: Progress | None = None) -> Study:
    """Run everything a report needs."""
    from virtperf.build import build
    from virtperf.experiment import compare, record
    from virtperf.theory import zero_load

    busy = max(scenarios, key=depth)
    quiet = _one_at_a_time(min(scenarios, key=depth))
    techniques = TECHNIQUES
    walks = {t: zero_load(build(quiet.with_("vm.disk", t))) for t in techniques}
    singles = {"vm.disk": list(techniques)}
    crowds: dict[str, list[Any]] = {**singles, "vm.count": list(COUNTS)}
    return Study(
        quiet=quiet,
        busy=busy,
        alone=compare(quiet, singles, requests=COUNTED + SPARE, progress=progress),
        crowd=compare(busy, crowds, requests=COUNTED + SPARE, progress=progress),
        zero={
            t: {account: ticks / TICKS_PER_NS for account, ticks in walk.breakdown.items()}
            for t, walk in walks.items()
        },
        counters={t: walk.counters for t, walk in walks.items()},
        timeline=record(busy.with_all({"vm.disk": "virtio", "vm.count": 1}), requests=RECORDED),
    )


def depth(scenario: Scenario) -> float:
    """Return how many requests a VM has in flight; an open load counts as the deepest."""
    loads = [vm.on_disk[1] for vm in scenario.vm]
    return max(load.outstanding * load.jobs if load.kind == "closed" else 1e9 for load in loads)


def _one_at_a_time(scenario: Scenario) -> Scenario:
    changes: dict[str, object] = {"vm.count": 1}
    if all(load.kind == "closed" for vm in scenario.vm for load in vm.loads):
        changes |= {"vm.load.outstanding": 1, "vm.load.jobs": 1}
    return scenario.with_all(changes)
