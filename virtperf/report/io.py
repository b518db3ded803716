"""The report's part on I/O virtualization: paths, who pays, whole machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from virtperf import plot
from virtperf.report.cpu import Part
from virtperf.report.picture import Picture, picture
from virtperf.report.tables import Table
from virtperf.result.payers import PAYERS, payers
from virtperf.result.words import amount, digits
from virtperf.technique import matrix, profiles

if TYPE_CHECKING:
    from virtperf.result import Result
    from virtperf.scenario import Scenario

PATHS = (
    "native",
    "passthrough",
    "vhost-user-blk",
    "vhost-blk",
    "virtio",
    "xen-blkfront",
    "emulated-nvme",
)
DEPTHS = (1, 4, 32)
DRAWN = ("virtio", "xen-blkfront", "passthrough", "emulated-ahci")
REPLICATIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs behind this part.

    Attributes
    ----------
    paths : Result
        `block-paths`, by disk technique and requests in flight.
    net : Result
        `net-rr`, by network technique.
    whole : Result
        `whole-vm`, by profile.
    one : Scenario
        What the ways of one request are drawn of.
    """

    paths: Result
    net: Result
    whole: Result
    one: Scenario


def conduct(progress: Callable[[float, int, str], None] | None = None) -> Runs:
    """Run everything this part needs."""
    from virtperf.experiment import compare
    from virtperf.scenario import Scenario

    over: dict[str, list[Any]] = {"vm.disk": list(PATHS), "vm.load.outstanding": list(DEPTHS)}
    asked: dict[str, Any] = {"replications": REPLICATIONS, "band": False, "progress": progress}
    return Runs(
        paths=compare(Scenario.load("block-paths"), over, requests=20_000, **asked),
        net=compare(
            Scenario.load("net-rr"),
            {"vm.nic": list(matrix.nic_techniques())},
            requests=6_000,
            **asked,
        ),
        whole=compare(
            Scenario.load("whole-vm"), {"vm": list(profiles.names())}, requests=16_000, **asked
        ),
        one=Scenario.load("first-light"),
    )


def part(runs: Runs) -> Part:
    """Return the part on I/O."""
    return Part(
        sentences=tuple(_sentences(runs)),
        figures=tuple(_figures(runs)),
        tables=(_payers(runs.paths), _profiles(runs.whole)),
        sources=_changes(),
    )


def _point(disk: str, depth: int) -> str:
    return f"vm.disk={disk} vm.load.outstanding={depth}"


def _sentences(runs: Runs) -> Iterator[str]:
    def rate(disk: str, depth: int) -> float:
        return runs.paths.value(_point(disk, depth), "throughput")[0] / 1e3

    deep = DEPTHS[-1]
    best = max(PATHS[1:], key=lambda disk: rate(disk, deep))
    worst = min(PATHS[1:], key=lambda disk: rate(disk, deep))
    yield (
        f"Paths: four jobs with {deep} reads in flight each, on a device faster than any, reach "
        f"{digits(rate(best, deep))} thousand reads a second through {best} and "
        f"{digits(rate(worst, deep))} through {worst}; {digits(rate('native', deep))} natively."
    )
    table = {str(row["point"]): row for row in payers(runs.paths).to_dict("records")}
    host, core = table[_point("virtio", deep)], table[_point("vhost-user-blk", 1)]
    yield (
        f"CPU time: a read through virtio at that depth takes {digits(host['total'] / 1e3)} us, "
        f"{digits(host['host threads'] / 1e3)} of them on I/O threads and "
        f"{digits(host['exits'] / 1e3)} in exits. A polling core needs none to be told; with one "
        f"request in flight it wastes {digits(core['polling, wasted'] / 1e3)} us of polling on it."
    )
    names = matrix.nic_techniques()
    trip = {name: runs.net.value(f"vm.nic={name}", "latency.mean")[0] / 1e3 for name in names}
    told = ", ".join(f"{name} {digits(trip[name] - trip['native'])} us" for name in names[1:])
    yield (
        "Networks: to the host's and the guest's part of a transaction, natively "
        f"{digits(trip['native'])} us, add: {told}."
    )
    means = {
        name: runs.whole.value(f"vm={name}", "latency.mean")[0] / 1e3 for name in profiles.names()
    }
    base = means["container"]
    told = ", ".join(
        f"{name} {digits(100 * (mean / base - 1), 2)} %"
        for name, mean in means.items()
        if name != "container"
    )
    yield (
        "Full virtualization against paravirtualization: a database transaction that computes, "
        f"changes processes, faults and reads a block takes longer than in a container by: {told}."
    )


def _figures(runs: Runs) -> Iterator[Picture]:
    yield picture(
        plot.latency_throughput(runs.paths, "vm.load.outstanding"),
        "Latency against throughput as more reads are in flight, on a device faster than any path. "
        "Intervals are 95 % over replications.",
        wide=True,
    )
    yield picture(
        plot.payer_stack(_deepest(runs.paths)),
        f"Who pays for a read with {DEPTHS[-1]} of each of four jobs in flight.",
        wide=True,
    )
    yield picture(
        plot.payer_stack(runs.net),
        "Who pays for a transaction: a request comes by the NIC and is answered.",
        wide=True,
    )
    for disk in DRAWN:
        yield _way(runs.one, disk)


def _way(one: Scenario, disk: str) -> Picture:
    from virtperf.build import build
    from virtperf.theory.way import way

    return picture(
        plot.sequence(way(build(one.with_("vm.disk", disk)))),
        f"One read of 4 KiB, {matrix.title('disk', disk)}: who has it, what is done, how long it "
        "takes. In italics, nobody works on it.",
    )


def _deepest(result: Result) -> Result:
    """Return the points with most requests in flight."""
    from dataclasses import replace

    kept = result.points[result.points["vm.load.outstanding"] == DEPTHS[-1]]
    return replace(result, points=kept)


def _payers(result: Result) -> Table:
    deepest = payers(_deepest(result))
    rows = []
    for row in deepest.to_dict("records"):
        disk = str(row["point"]).partition(" ")[0].partition("=")[2]
        rows.append([disk, *(digits(row[who] / 1e3) for who in (*PAYERS, "total"))])
    title = f"CPU time of a read by who pays, {DEPTHS[-1]} in flight per job, us"
    return Table(title, ["path", *PAYERS, "total"], rows)


def _profiles(result: Result) -> Table:
    metrics = ("latency.mean", "latency.p99", "throughput", "cpu_per_request.total")
    units = ("ns", "ns", "1/s", "ns")
    rows = [
        [
            name,
            *(
                amount(result.value(f"vm={name}", metric)[0], unit)
                for metric, unit in zip(metrics, units, strict=True)
            ),
        ]
        for name in profiles.names()
    ]
    header = ["profile", "mean", "p99", "transactions", "CPU time"]
    return Table("Whole machines: a database that computes and reads", header, rows)


def _changes() -> Table:
    """Return what each profile is, and what must be changed in a guest for it."""
    rows = []
    for name in profiles.names():
        one = profiles.profile(name)
        rows.append([name, one.title, "; ".join(one.change) or "nothing", one.protects])
    header = ["profile", "what it is", "to be changed in the guest", "protection"]
    return Table("Whole-VM profiles", header, rows, words=4)
