"""From the runs of one point to its warm-up cut, metrics, ledger tables and CDF. Plain numbers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from virtperf.experiment.samples import QUANTILES, Metric, durations, too_few
from virtperf.experiment.scheduling import scheduling
from virtperf.result import ALL
from virtperf.stats import mser5
from virtperf.tables import Histogram, Run, Snapshot, System
from virtperf.units import TICKS_PER_NS

MSER_BATCHES = 50  # MSER-5 averages by 5 and searches half: fewer leave it 4 cuts to choose from
WARMUP_RUNS = 10  # replications 0-9 fix the cut, later ones use it


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where the warm-up of a point ends.

    Attributes
    ----------
    requests : int
        Finished requests that are dropped.
    rule : str
        How the cut was found, in words.
    steady : bool
        Whether a steady state was found.
    """

    requests: int
    rule: str
    steady: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What happened between the cut and the end of one run."""

    system: System
    snapshots: tuple[Snapshot, ...]  # at its start, at the end of each batch; at least two
    histograms: tuple[Histogram, ...]  # per group
    wakes: tuple[Histogram, ...]  # per wake group

    @property
    def start(self) -> Snapshot:
        """How all stood at the cut."""
        return self.snapshots[0]

    @property
    def end(self) -> Snapshot:
        """How all stood at the end of the run."""
        return self.snapshots[-1]

    @property
    def time(self) -> int:
        """Length, in ticks."""
        return self.end.time - self.start.time

    @property
    def completed(self) -> int:
        """Requests finished."""
        return sum(self.end.completed) - sum(self.start.completed)

    @property
    def residence(self) -> int:
        """Sum of the latencies of the requests finished, in ticks."""
        return sum(self.end.residence) - sum(self.start.residence)

    @property
    def in_system(self) -> int:
        """Time integral of the number of requests in the system, in request-ticks."""
        return self.end.in_system - self.start.in_system


def warmup(runs: Sequence[Run]) -> Cut:
    """Find the warm-up cut of a point from its first replications."""
    runs = [run for run in runs if run.batch == runs[0].batch][:WARMUP_RUNS]
    batches = min(len(run.sums) for run in runs)
    total = min(sum(run.snapshots[-1].completed) for run in runs)
    if batches < MSER_BATCHES:
        return Cut(requests=total // 4, rule="first quarter dropped (too short for MSER-5)")
    means = [sum(run.sums[i] for run in runs) / (len(runs) * runs[0].batch) for i in range(batches)]
    cut = mser5(means)
    if cut is None:
        return Cut(requests=total // 2, rule="no steady state: first half dropped", steady=False)
    return Cut(requests=cut * runs[0].batch, rule="MSER-5")


def window(system: System, run: Run, cut: Cut) -> Window:
    """Return what `run` did after `cut`, rounded up to a histogram batch; never empty."""
    last = len(run.snapshots) - 2
    passed = [sum(snapshot.completed) >= cut.requests for snapshot in run.snapshots]
    first = min(passed.index(True) if True in passed else last, last)
    return Window(
        system=system,
        snapshots=run.snapshots[first:],
        histograms=_merged(run.histograms[first:], len(system.groups)),
        wakes=_merged(run.wakes[first:], len(system.wakes)),
    )


def _merged(batches: Iterable[Sequence[Histogram]], groups: int) -> tuple[Histogram, ...]:
    return tuple(Histogram().merge(batch[group] for batch in batches) for group in range(groups))


def metrics(seen: Window) -> Iterator[Metric]:
    """Yield (metric, value, unit) of one replication; None where too few samples were seen."""
    yield from _latency(seen)
    yield from _throughput(seen)
    yield from _utilization(seen)
    yield from _per_request(seen)
    yield from _on_the_network(seen)
    yield from scheduling(seen)


def reason(metric: str, seen: Window) -> str:
    """Return why `metric` of this window is null."""
    family, name, *group = metric.split(".", 2)
    if family == "latency":
        names, histograms = seen.system.groups, seen.histograms
    elif family == "wake_to_run":
        names, histograms = seen.system.wakes, seen.wakes
    else:
        return too_few("mean", seen.completed)
    members = [names.index(group[0])] if group else range(len(names))
    return too_few(name, sum(histograms[g].count for g in members))


def _latency(seen: Window) -> Iterator[Metric]:
    groups = range(len(seen.system.groups))
    parts: dict[str, Sequence[int]] = {"": groups}
    if len(groups) > 1:
        parts |= {f".{name}": [group] for group, name in enumerate(seen.system.groups)}
    for suffix, members in parts.items():
        total = sum(seen.end.residence[g] - seen.start.residence[g] for g in members)
        merged = Histogram().merge(seen.histograms[g] for g in members)
        yield from durations("latency", suffix, total, merged, QUANTILES)


def _throughput(seen: Window) -> Iterator[Metric]:
    """Yield finished requests a second, of all and, where there are several groups, of each."""
    yield "throughput", seen.completed / seen.time * TICKS_PER_NS * 1e9, "1/s"
    groups = seen.system.groups if len(seen.system.groups) > 1 else ()
    for group, name in enumerate(groups):
        ended = seen.end.completed[group] - seen.start.completed[group]
        yield f"throughput.{name}", ended / seen.time * TICKS_PER_NS * 1e9, "1/s"


def _utilization(seen: Window) -> Iterator[Metric]:
    used = seen.time * seen.system.pool.pcpus
    ticks = cpu_ticks(seen)
    idle = sum(ticks[account] for account in seen.system.pool.idling)
    yield "utilization.host", 1 - idle / used, "1"
    for index, station in enumerate(seen.system.stations):
        busy = seen.end.busy[index] - seen.start.busy[index]
        yield f"utilization.{station.name}", busy / (station.servers * seen.time), "1"


def _per_request(seen: Window) -> Iterator[Metric]:
    count = seen.completed
    for role, ticks in cpu_by_role(seen).items():
        yield f"cpu_per_request.{role}", ticks / count / TICKS_PER_NS if count else None, "ns"
    for index, name in enumerate(seen.system.counters):
        moved = seen.end.counters[index] - seen.start.counters[index]
        yield _counter_metric(name), moved / count if count else None, "1"
    for index, name in enumerate(seen.system.sides):
        ended = seen.end.sides[index] - seen.start.sides[index]
        yield f"side_paths_per_request.{name}", ended / count if count else None, "1"


def _on_the_network(seen: Window) -> Iterator[Metric]:
    """Yield packets and bits of data a second, each way, as the guests' stacks count them."""
    for index, name in enumerate(seen.system.counters):
        moved = seen.end.counters[index] - seen.start.counters[index]
        kind, _, way = name.partition(".")
        per_s = moved / seen.time * TICKS_PER_NS * 1e9
        if kind == "packets":
            yield f"packets.{way}", per_s, "1/s"
        elif kind == "bytes":
            yield f"goodput.{way}", 8 * per_s, "bit/s"


def _counter_metric(name: str) -> str:
    head, dot, tail = name.partition(".")
    return f"{head}_per_request{dot}{tail}"


def cpu_ticks(seen: Window) -> list[int]:
    """Return the time of all pCPUs by account, in ticks."""
    before = [sum(account) for account in zip(*seen.start.cpu, strict=True)]
    after = [sum(account) for account in zip(*seen.end.cpu, strict=True)]
    return [b - a for a, b in zip(before, after, strict=True)]


def cpu_by_role(seen: Window) -> dict[str, int]:
    """Return CPU ticks by role, ``total`` first; an account names its role before the colon."""
    roles: dict[str, int] = {"total": 0}
    ticks = cpu_ticks(seen)
    for index, name in enumerate(seen.system.accounts):
        if index in seen.system.pool.idling:
            continue
        roles[role_of(name)] = roles.get(role_of(name), 0) + ticks[index]
        roles["total"] += ticks[index]
    return roles


def role_of(account: str) -> str:
    """Return whose CPU an account is, for example ``"iothread"`` of ``"iothread: polling"``."""
    return account.partition(":")[0].strip().replace(" ", "-")


def request_time(seen: Window) -> Iterator[tuple[str, str, float]]:
    """Yield (group, account, ns per request) of every account that took time.

    Where there are several groups, "all" is their sum over all requests.
    """
    groups = {name: [group] for group, name in enumerate(seen.system.groups)}
    if len(groups) > 1:
        groups = {ALL: list(range(len(seen.system.groups)))} | groups
    for name, members in groups.items():
        count = sum(seen.end.completed[g] - seen.start.completed[g] for g in members)
        for index, account in enumerate(seen.system.accounts):
            ticks = sum(
                seen.end.requests[g][index] - seen.start.requests[g][index] for g in members
            )
            if count and ticks:
                yield name, account, ticks / count / TICKS_PER_NS
