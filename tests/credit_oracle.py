"""The rules of Xen's credit scheduler on one pCPU, told once more: 50 us at a time, no events.

Written for this project from a reading of Xen's source; it knows nothing of virtperf. Time is in
us, credits are 10 per ms, switches cost nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

BOOST, UNDER, OVER = 0, -1, -2
STEP = 50


@dataclass(eq=False)
class Vcpu:
    """One virtual CPU: it computes all the time, or works for a while at each of its `wakes`.

    `wakes` are (instant, work); one that comes while there is work left waits until a step after
    its end.
    `woke` lists when it did wake, and what for. `closest` is how near its credits ever
    were to a border that decides something.
    """

    name: str
    weight: int = 256
    cap: int = 0
    wakes: list[tuple[int, int]] | None = None
    credit: float = 0.0
    priority: int = UNDER
    active: bool = False
    parked: bool = False
    ran: int = 0
    left: int = 0
    wake_at: int | None = None
    since: int = 0
    started: bool = True
    latencies: list[int] = field(default_factory=list)
    woke: list[tuple[int, int]] = field(default_factory=list)
    closest: float = 1e9


class Oracle:
    """A run of some vCPUs for `time` us.

    `trace` tells who ran in each step, "-" for nobody; `begun` lists when somebody began to run.
    """

    def __init__(
        self, vcpus: Iterable[Vcpu], time: int, *, ratelimit: int = 1_000, slice_: int = 30_000
    ) -> None:
        self.vcpus = list(vcpus)
        self.ratelimit, self.slice = ratelimit, slice_
        self.per_slice = slice_ / 100  # credits
        self.queue: list[Vcpu] = []
        self.current: Vcpu | None = None
        self.began = self.slice_end = 0
        self.balance = 0.0
        self.unsorted = False
        self.trace: list[str] = []
        self.begun: list[int] = []
        self._run(time)

    def _insert(self, vcpu: Vcpu) -> None:
        i = 0
        while i < len(self.queue) and self.queue[i].priority >= vcpu.priority:
            i += 1
        self.queue.insert(i, vcpu)

    def _schedule(self, now: int, *, blocked: bool = False) -> None:
        if self.current is not None and not blocked and not self.current.parked:
            if self.ratelimit and now - self.began < self.ratelimit:
                self.slice_end = self.began + self.ratelimit
                return
            self._insert(self.current)
        after = self.queue.pop(0) if self.queue else None
        if after is not self.current:
            self.began = now
            self.begun.append(now)
        self.current, self.slice_end = after, now + self.slice
        if after is not None and not after.started:
            after.started = True
            after.latencies.append(now - after.since)

    def _wake(self, vcpu: Vcpu, now: int) -> None:
        assert vcpu.wakes is not None
        vcpu.wake_at, vcpu.since, vcpu.started = None, now, False
        vcpu.left = vcpu.wakes.pop(0)[1]
        vcpu.woke.append((now, vcpu.left))
        if vcpu.priority == UNDER and not vcpu.parked:
            vcpu.priority = BOOST
        if vcpu.parked:
            return
        self._insert(vcpu)
        if self.current is None or vcpu.priority > self.current.priority:
            self._schedule(now)

    def _account(self, now: int) -> None:
        active = [vcpu for vcpu in self.vcpus if vcpu.active]
        whole = rest = sum(vcpu.weight for vcpu in active)
        if not whole:
            return
        debt = max(0.0, -self.balance)
        total, self.balance = self.per_slice + debt, 0.0
        for vcpu in active:
            rest -= vcpu.weight
            allowed = vcpu.cap * self.per_slice / 100
            most = self.per_slice + debt * vcpu.weight / whole
            if vcpu.cap:
                most = min(most, allowed)
            fair = total * vcpu.weight / whole
            if fair >= most:
                if rest:
                    total += (fair - most) * whole / rest
                fair = most
            vcpu.credit += fair
            for border in (0, -allowed, self.per_slice):
                vcpu.closest = min(vcpu.closest, abs(vcpu.credit - border))
            if vcpu.credit < 0:
                vcpu.priority = OVER
                if vcpu.cap and vcpu.credit < -allowed and not vcpu.parked:
                    vcpu.parked = True
                    if vcpu in self.queue:
                        self.queue.remove(vcpu)
                vcpu.credit = max(vcpu.credit, -self.per_slice)
            else:
                vcpu.priority = UNDER
                if vcpu.parked:
                    vcpu.parked = False
                    if vcpu.left > 0 or vcpu.wakes is None:
                        self._insert(vcpu)
                if vcpu.credit > self.per_slice:
                    vcpu.active, vcpu.credit = False, vcpu.credit / 2
            self.balance += vcpu.credit
        self.unsorted = True
        if self.current is not None and self.current.parked:
            self._schedule(now, blocked=True)
        elif self.current is None and self.queue:
            self._schedule(now)

    def _tick(self) -> None:
        if self.current is not None:
            if self.current.priority == BOOST:
                self.current.priority = UNDER
            self.current.active = True
        if self.unsorted:
            self.queue.sort(key=lambda vcpu: -min(vcpu.priority, UNDER))
            self.unsorted = False

    def _run(self, time: int) -> None:
        for vcpu in self.vcpus:
            if vcpu.wakes is None:
                self._insert(vcpu)
            elif vcpu.wakes:
                vcpu.wake_at = vcpu.wakes[0][0]
        self._schedule(0)
        for now in range(0, time, STEP):
            for vcpu in self.vcpus:
                idle = vcpu.left <= 0 and vcpu is not self.current and vcpu not in self.queue
                if vcpu.wake_at is not None and vcpu.wake_at <= now and idle:
                    self._wake(vcpu, now)
            if now and now % self.slice == 0:
                self._account(now)
            if now and now % (self.slice // 3) == 0:
                self._tick()
            head = self.queue[0].priority if self.queue else OVER - 1
            if self.current is not None and (
                now >= self.slice_end
                or (head > self.current.priority and now - self.began == self.ratelimit)
            ):
                self._schedule(now)
            self.trace.append(self.current.name if self.current else "-")
            self._step(now)

    def _step(self, now: int) -> None:
        vcpu = self.current
        if vcpu is None:
            return
        vcpu.ran += STEP
        vcpu.credit -= STEP / 100
        if vcpu.wakes is None:
            return
        vcpu.left -= STEP
        if vcpu.left <= 0:
            vcpu.wake_at = max(now + 2 * STEP, vcpu.wakes[0][0]) if vcpu.wakes else None
            self._schedule(now + STEP, blocked=True)
