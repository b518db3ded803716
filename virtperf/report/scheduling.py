"""The report's part on scheduling: what overcommit, neighbours and caps do to latency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any

from virtperf import catalog, plot
from virtperf.report.cpu import Part
from virtperf.report.picture import Picture, picture
from virtperf.report.tables import Table, number, numbers
from virtperf.result.words import digits

if TYPE_CHECKING:
    from collections.abc import Callable

    from virtperf.result import Result
    from virtperf.tables import Timeline

COUNTS = (4, 8, 16, 20, 24)
LINES = ("credit", "eevdf", "pinned")
NEIGHBOURS = ("round-robin", "pinned", "credit", "credit2", "cfs", "eevdf")
CAPPED = ("credit", "credit2", "cfs")
SHOWN_MS = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs behind this part.

    Attributes
    ----------
    crowd : Result
        `overcommit`, by policy and number of VMs.
    neighbours : Result
        `noisy-neighbour`, by policy.
    capped : mapping of policy to Timeline
        A recording of `cap-burstiness`.
    flushes : Result
        `tlb-shootdown`, with and without the hypervisor's help.
    threads : Result
        `smt-siblings`: one thread per core, and two.
    """

    crowd: Result
    neighbours: Result
    capped: dict[str, Timeline]
    flushes: Result
    threads: Result


def conduct(progress: Callable[[float, int, str], None] | None = None) -> Runs:
    """Run everything this part needs."""
    from virtperf.experiment import compare, record
    from virtperf.scenario import Scenario

    crowd: dict[str, list[Any]] = {"host.policy": list(LINES), "vm.count": list(COUNTS)}
    capped = Scenario.load("cap-burstiness")
    return Runs(
        crowd=compare(Scenario.load("overcommit"), crowd, progress=progress, band=False),
        neighbours=compare(
            Scenario.load("noisy-neighbour"),
            {"host.policy": list(NEIGHBOURS)},
            progress=progress,
            band=False,
        ),
        capped={name: record(capped.with_("host.policy", name), requests=6_000) for name in CAPPED},
        flushes=compare(
            Scenario.load("tlb-shootdown"),
            {"vm[0].pv_tlb_flush": [False, True]},
            progress=progress,
            band=False,
        ),
        threads=compare(
            Scenario.load("smt-siblings"),
            {"host.smt": [False, True], "host.pcpus": [4, 8]},
            progress=progress,
            band=False,
        ),
    )


def part(runs: Runs) -> Part:
    """Return the part on scheduling."""
    return Part(
        sentences=tuple(_sentences(runs)),
        figures=tuple(_figures(runs)),
        tables=(_neighbours(runs.neighbours),),
        sources=_constants(),
    )


def _sentences(runs: Runs) -> Iterator[str]:
    few, many = COUNTS[0], COUNTS[-1]

    def p99(policy: str, count: int) -> tuple[float, float]:
        return runs.crowd.value(f"host.policy={policy} vm.count={count}", "latency.p99")

    quiet, (busy, noise) = p99("credit", few)[0], p99("credit", many)
    host, _ = runs.crowd.value(f"host.policy=credit vm.count={many}", "utilization.host")
    yield (
        f"Overcommit: under Xen's credit scheduler {many} web servers on four pCPUs, at "
        f"{host:.0%} of the host, have a p99 of {digits(busy / 1e3)} +- {digits(noise / 1e3)} us; "
        f"{few} of them have {digits(quiet / 1e3)} us."
    )
    tied, _ = p99("pinned", many)
    yield f"Pinned, each to its pCPU, the same {many} have {digits(tied / 1e3)} us."
    means = {
        name: runs.neighbours.value(f"host.policy={name}", "latency.mean.web unit")[0] / 1e3
        for name in NEIGHBOURS
    }
    best, worst = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
    yield (
        f"Neighbours: a request of a web server beside three VMs that compute takes "
        f"{digits(means[best])} us under {best} and {digits(means[worst])} us under {worst}, on "
        "average: what the policy does at a wake-up decides."
    )
    yield from _together(runs)


def _together(runs: Runs) -> Iterator[str]:
    """Yield what vCPUs pay that wait for each other, and that share a core."""
    asks, spared = (
        runs.flushes.value(f"vm[0].pv_tlb_flush={asked}", "latency.mean.threads unit")[0] / 1e3
        for asked in (False, True)
    )
    yield (
        "TLB shootdown: four threads that unmap memory, beside four VMs that compute, take "
        f"{digits(asks)} us a unit where their kernel waits for vCPUs without a pCPU, and "
        f"{digits(spared)} us where the hypervisor flushes those."
    )
    ways = ("host.smt=False host.pcpus=4", "host.smt=True host.pcpus=8")
    (one, tail), (two, shared) = (
        [runs.threads.value(way, f"latency.{which}")[0] / 1e3 for which in ("p50", "p99")]
        for way in ways
    )
    yield (
        f"Siblings: with both threads of four cores, 24 web servers have a median of {digits(two)} "
        f"us instead of {digits(one)}, and a p99 of {digits(shared)} us instead of {digits(tail)}."
    )


def _figures(runs: Runs) -> Iterator[Picture]:
    ax = plot.response(runs.crowd, "vm.count", "latency.p99")
    yield picture(
        ax,
        "p99 of web servers on four pCPUs by their number; bars are 95 % intervals.",
    )
    yield picture(
        plot.schedules(runs.capped, end_ns=SHOWN_MS * 1e6),
        "A web server with a cap of 0.4 pCPUs that would use 0.43: who enforces it, and how "
        "often, decides how long its requests stand still.",
        wide=True,
    )


def _neighbours(result: Result) -> Table:
    rows = []
    for policy in NEIGHBOURS:
        point = f"host.policy={policy}"
        mean, noise = result.value(point, "latency.mean.web unit")
        tail, _ = result.value(point, "latency.p95.web unit")
        waits, _ = result.value(point, "wake_to_run.mean.web[0] vcpu")
        steal, _ = result.value(point, "steal.web[0].vcpu0")
        moved, _ = result.value(point, "preemptions.rate")
        rows.append(
            [
                policy,
                f"{digits(mean / 1e3)} +- {digits(noise / 1e3)}",
                "too few samples" if isnan(tail) else digits(tail / 1e3),
                digits(waits / 1e3),
                f"{steal:.1%}",
                digits(moved),
            ]
        )
    header = ["policy", "mean [us]", "p95 [us]", "wake to run [us]", "steal", "preemptions/s"]
    title = "A web server beside three VMs that compute, on two pCPUs (noisy-neighbour)"
    return Table(title, header, rows)


def _constants() -> Table:
    """Return every constant of every scheduler, with its source."""
    rows = [
        number(f"{name}: {key}", row)
        for name in catalog.names("schedulers")
        for key, row in catalog.scheduler(name).to_frame().to_dict("index").items()
    ]
    return numbers("Constants of schedulers", rows)
