"""Who holds which pCPU while one request is under way: placement, polls, sleep. Books nothing."""

from collections.abc import Callable

from virtperf.rules import poll
from virtperf.tables import NONE, Policy, Poll, PollKind, System

PollEnd = Callable[[int, int, bool], None]


class Window:
    """A worker's poll window, as the rule that adapts it wants to see it."""

    __slots__ = (
        "came",
        "poll_grow",
        "poll_kind",
        "poll_most",
        "poll_shrink",
        "poll_start",
        "window",
    )

    def __init__(self, row: Poll) -> None:
        self.poll_kind, self.poll_most, self.poll_start = row.kind, row.most, row.start
        self.poll_grow, self.poll_shrink = row.grow, row.shrink
        self.window = 0 if row.start else row.most
        self.came = poll.AWAKE


class Host:
    """The pCPUs of a system with at most one request, and its idle workers.

    A worker is asleep, polls on its pCPU until its window is over, or is awake on its pCPU.
    A poller whose slice ends because somebody waits gives up its poll; an engine lets it finish
    the rest later. It takes a poll window longer than the slice to tell them apart. A halted vCPU
    for which its host polls gives way at once. An endless poll has begun before all, and ends here
    only where others need its pCPU: then it is told of what comes, as a sleeper is.

    Parameters
    ----------
    system : System
    polled : callable
        Told of every worker, the ticks for which it polled, and whether it found something.
    """

    def __init__(self, system: System, polled: PollEnd) -> None:
        self.pool = system.pool
        self.workers = system.workers
        self.windows = [Window(row.poll) for row in system.workers]
        self.since = [0] * len(system.workers)
        self.polled = polled
        self.polling: dict[int, int] = {}
        self.above: dict[int, int] = {}  # pCPU to since when host interrupt work stands there
        self.stood = [0] * len(system.workers)  # of a poll, below such work
        self.held = [NONE] * len(system.workers)  # until when, at the last time
        self.pcpu = [NONE] * len(system.workers)
        self.home = [NONE] * len(system.workers)
        self.holder = [NONE] * system.pool.pcpus
        self.last = [NONE] * system.pool.pcpus
        self.dispatched = [0] * system.pool.pcpus
        for worker, row in enumerate(system.workers):
            if row.poll.kind == PollKind.ENDLESS:
                self.acquire(worker, 0)
                self.idle(worker, 0)

    def polls(self, worker: int) -> bool:
        """Whether `worker` polls."""
        return worker in self.polling

    def poll_end(self, worker: int) -> int:
        """Return when the window of a polling worker is over."""
        return max(self.polling[worker] + self.windows[worker].window, self.held[worker])

    def advance(self, now: int, *, first: int = NONE) -> None:
        """Put to sleep whose window is over at `now`.

        At a tie the owner with the lower number goes first: worker `first`, or, if NONE, a
        station, doorbell or source, all of which go before any worker. Below host interrupt work
        nobody gives up, nor in the instant of its end.
        """
        for worker in sorted(self.polling):
            if self.pcpu[worker] in self.above:
                continue
            end = self.poll_end(worker)
            if end < now or (end == now and worker < first and end != self.held[worker]):
                self._give_up(worker, end)

    def stop_poll(self, worker: int, now: int, *, hit: bool = True) -> None:
        """End a poll; the worker is awake on its pCPU."""
        self.polled(worker, now - self.polling.pop(worker) - self.stood[worker], hit)

    def idle(self, worker: int, now: int) -> None:
        """Let a worker without work poll, or sleep."""
        self.since[worker] = now
        if self.workers[worker].host:
            self._depart(self.workers[worker].pin, now)
        elif self.windows[worker].window:
            self.polling[worker] = now
            self.stood[worker], self.held[worker] = 0, NONE
        else:
            self._vacate(worker)

    def _depart(self, pcpu: int, now: int) -> None:
        """End host interrupt work; the poll below it, if any, goes on."""
        start = self.above.pop(pcpu)
        below = self.holder[pcpu]
        if below in self.polling:
            self.stood[below] += now - start
            self.held[below] = now

    def block(self, worker: int) -> None:
        """Let a worker give up its pCPU while it waits with a request in hand."""
        self._vacate(worker)

    def adapt(self, worker: int, level: int, now: int, came: int) -> None:
        """Set the next poll window of a worker whose turn begins after idling."""
        window = self.windows[worker]
        window.came = came
        window.window = poll.adapted(window, level, now - self.since[worker])

    def acquire(self, worker: int, now: int) -> tuple[int, bool]:
        """Return when the woken `worker` gets a pCPU, and whether it follows another one there."""
        if self.workers[worker].host:
            self.above[self.workers[worker].pin] = now
            return now, False
        pcpu = self._idle_pcpu(worker)
        if pcpu == NONE:
            now, pcpu = min((self._free_at(p, now), p) for p in self._allowed(worker))
            self._give_up(self.holder[pcpu], now)
            self.advance(now)
        self.holder[pcpu] = worker
        self.pcpu[worker] = self.home[worker] = pcpu
        self.dispatched[pcpu] = now
        return now, self.last[pcpu] not in (NONE, worker)

    def signature(self, now: int) -> tuple[object, ...]:
        """Return all that decides what happens next, in times relative to `now`."""
        polls = tuple(
            (w, start - now, self.stood[w], max(self.held[w], start - 1) - now)
            for w, start in sorted(self.polling.items())
        )
        adaptive = tuple(
            (w, window.window, self.since[w] - now)
            for w, window in enumerate(self.windows)
            if window.poll_start and self.home[w] != NONE
        )
        return polls, adaptive, tuple(self.home), tuple(self.holder), tuple(self.last)

    def _allowed(self, worker: int) -> list[int]:
        pinned = self.pool.policy == Policy.PINNED
        return [self.workers[worker].pin] if pinned else list(range(self.pool.pcpus))

    def _idle_pcpu(self, worker: int) -> int:
        idle = [p for p in self._allowed(worker) if self.holder[p] == NONE]
        home = self.home[worker]
        return home if home in idle else min(idle, default=NONE)

    def _free_at(self, pcpu: int, now: int) -> int:
        if self.windows[self.holder[pcpu]].poll_kind == PollKind.HALT:
            return now
        slice_end = max(now, self.dispatched[pcpu] + self.pool.slice)
        return min(self.poll_end(self.holder[pcpu]), slice_end)

    def _give_up(self, worker: int, now: int) -> None:
        """End a poll that has found nothing; the worker sleeps."""
        self.stop_poll(worker, now, hit=False)
        if self.windows[worker].poll_kind == PollKind.GUEST:
            self.since[worker] = now
        self._vacate(worker)

    def _vacate(self, worker: int) -> None:
        pcpu = self.pcpu[worker]
        self.holder[pcpu], self.last[pcpu] = NONE, worker
        self.pcpu[worker] = NONE
