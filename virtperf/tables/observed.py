"""What one run observed, as plain data: the same from every engine."""

from dataclasses import dataclass

from virtperf.tables.histogram import Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All running totals at one instant; the difference of two is what happened between them.

    Attributes
    ----------
    time : int
        Instant, in ticks.
    completed : tuple of int, per group
        Requests finished.
    residence : tuple of int, per group
        Sum of the latencies of the finished requests, in ticks.
    in_system : int
        Time integral of the number of requests in the system, in request-ticks.
    counters : tuple of int, per counter
    cpu : tuple of tuple of int, pCPU x account
        Time of every pCPU, stretches under way included.
    requests : tuple of tuple of int, group x account
        Time of the finished requests.
    busy : tuple of int, per station
        Time integral of the number of servers (or locks) in use.
    queued : tuple of int, per station
        Time integral of the number waiting.
    sides : tuple of int, per side group
        Side paths finished, and requests dropped; none of them is in `completed`.
    side_residence : tuple of int, per side group
        Sum of their times, in ticks.
    workers : tuple of tuple of int, worker x `WorkerState`
        Time of every worker in each state, in ticks, stretches under way included.
    switches : int
        Dispatches on a pCPU whose last worker was another one.
    preemptions : int
        Workers that the scheduler sent back to the queue, and did not choose again at once.
    migrations : int
        Dispatches on another pCPU than the worker's last.
    waking : tuple of int, per wake group
        Sum of the wake-to-run latencies, in ticks.
    """

    time: int
    completed: tuple[int, ...]
    residence: tuple[int, ...]
    in_system: int
    counters: tuple[int, ...]
    cpu: tuple[tuple[int, ...], ...]
    requests: tuple[tuple[int, ...], ...]
    busy: tuple[int, ...]
    queued: tuple[int, ...]
    sides: tuple[int, ...] = ()
    side_residence: tuple[int, ...] = ()
    workers: tuple[tuple[int, ...], ...] = ()
    switches: int = 0
    preemptions: int = 0
    migrations: int = 0
    waking: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One replication.

    Attributes
    ----------
    ends, sums : tuple of int, per scalar batch
        Instant at which the batch was complete, and the sum of its latencies, in ticks.
    batch : int
        Requests per scalar batch; the last batch may be incomplete and is not listed.
    snapshots : tuple of Snapshot
        At the start, at the end of every histogram batch, and at the end of the run.
    histograms : tuple of tuple of Histogram, histogram batch x group
        Latencies, one for each interval between two snapshots.
    wakes : tuple of tuple of Histogram, histogram batch x wake group
        Wake-to-run latencies: from a worker's wish for a pCPU to its dispatch, 0 if at once.
    in_flight : int
        What was booked to requests that had not finished, in ticks.
    events : int
        Timed events the engine handled.
    engine : str
    """

    ends: tuple[int, ...]
    sums: tuple[int, ...]
    batch: int
    snapshots: tuple[Snapshot, ...]
    histograms: tuple[tuple[Histogram, ...], ...]
    wakes: tuple[tuple[Histogram, ...], ...]
    in_flight: int
    events: int
    engine: str
