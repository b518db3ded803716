"""The walk of one request through an empty system: the flow of an engine, without its queues."""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence as Items
from dataclasses import dataclass, field

from virtperf.rules.poll import NOTICED, WOKEN
from virtperf.tables import (
    NONE,
    NOTHING,
    SPARING,
    BellRow,
    ClassRow,
    ConsumerState,
    Hold,
    Kind,
    Rule,
    Sequence,
    StepRow,
    System,
    WorkerState,
)
from virtperf.theory.host import Host
from virtperf.theory.itinerary import Stay, draw_of, ways
from virtperf.units import ticks

ORDINARY = 0
_TIMED = (Kind.WORK, Kind.SERVE)
_INDEXED = (Rule.EVENT_INDEX, Rule.RE_ENABLED)
SWITCHING_ROLE = "host"


@dataclass(slots=True)
class Hand:
    """The turn in which a worker holds the request. `over`: the batch has been handed over."""

    worker: int
    inbox: int
    taken: int = 1
    over: bool = False


@dataclass(slots=True)
class Lap:
    """What happened from one birth to the next. `spans`: (stay, label, step, account) to ticks."""

    latency: int = 0
    events: int = 0
    spans: Counter[tuple[int, str, int, int]] = field(default_factory=Counter)
    cpu: Counter[str] = field(default_factory=Counter)
    counters: Counter[int] = field(default_factory=Counter)


class Walk:
    """One request of one source and class, again and again.

    Parameters
    ----------
    system : System
    source : int
        Index of the source.
    stays : sequence of Stay
        The request's itinerary.
    """

    def __init__(self, system: System, source: int, stays: Items[Stay]) -> None:
        self.system = system
        self.source = system.sources[source]
        self.stays = stays
        self.host = Host(system, self._polled)
        self.hand: Hand | None = None
        self.now = self.place = 0
        self.lap = Lap()

    def signature(self) -> tuple[object, ...]:
        """Return all that decides the next lap."""
        self.host.advance(self.now)
        hand = self.hand
        turn = (hand.worker, hand.inbox, hand.taken, hand.over) if hand else None
        return turn, self.host.signature(self.now)

    def go_round(self) -> Lap:
        """Walk from birth to end and on to the next birth; return what happened."""
        lap = self.lap = Lap()
        born, self.place = self.now, 0
        if self.source.inbox != NONE:
            self._arrive(self.source.inbox)
        for place, stay in enumerate(self.stays):
            self.place = place
            self._hold(stay)
            end = self.system.steps[stay.last]
            if end.kind == Kind.SERVE:
                self._serve(stay.last)
            elif end.kind == Kind.RING:
                self._ring(end.target)
            elif end.kind == Kind.JOIN:
                self._put_by(stay.last)
        lap.latency = self.now - born
        self._wait_for_next(lap.latency)
        return lap

    # -- steps ------------------------------------------------------------------------------

    def _hold(self, stay: Stay) -> None:
        """Carry out what the holder does before the step that ends its hold."""
        for index in stay.steps:
            self._take_step(index)
        end = self.system.steps[stay.last]
        self._count(end.counter)
        if end.defer and self.hand is not None:
            self._end_batch(self.hand)

    def _end_batch(self, hand: Hand) -> None:
        if not hand.over:
            self._pay(self.system.inboxes[hand.inbox].epilogue, "epilogue")
            hand.over = True

    def _take_step(self, index: int) -> None:
        kind = self.system.steps[index].kind
        if kind == Kind.SERVE:
            self._stay(index)
        elif kind == Kind.JOIN:
            self._join(index)
        elif kind == Kind.WORK:
            self._work(index)
        elif kind == Kind.GATHER:
            assert self.hand is not None, "the itinerary puts it in a worker's hands"
            self._end_batch(self.hand)
        else:
            self._count(self.system.steps[index].counter if kind != Kind.TAKE else NONE)

    def _serve(self, index: int) -> None:
        self._let_go()
        self._be_served(index)

    def _be_served(self, index: int) -> None:
        step = self.system.steps[index]
        self.lap.events += not self._cost(index)  # a stay of no time is an event all the same
        self._book(self.system.stations[step.target].name, index, step.account, self._cost(index))

    def _work(self, index: int, what: str = "") -> None:
        """Spend the time of a work step; locks are free in an empty system."""
        assert self.hand is not None, "the itinerary puts work in a worker's hands"
        step = self.system.steps[index]
        self._count(step.counter, step.times)
        if step.kind == Kind.WORK:
            worker = self.system.workers[self.hand.worker]
            cost = self._cost(index)
            self.lap.cpu[worker.role] += cost
            self._book(f"{worker.name} {what}".rstrip(), index, step.account, cost)

    def _pay(self, sequence: Sequence, what: str) -> None:
        for index in range(sequence.first, sequence.last):
            self._work(index, what)

    # -- waiting in a worker's hands --------------------------------------------------------

    def _stay(self, index: int) -> None:
        """Be served while the worker waits: asleep without its pCPU, or spinning on it."""
        assert self.hand is not None, "the itinerary puts it in a worker's hands"
        step, w = self.system.steps[index], self.hand.worker
        if step.hold == Hold.SPIN:
            self.lap.cpu[self.system.workers[w].role] += self._cost(index)
            self._be_served(index)
            return
        self.host.block(w)
        self._be_served(index)
        self._run_again(w)

    def _run_again(self, w: int) -> None:
        """Bring a worker that has blocked back onto a pCPU, in the name of its request."""
        self.host.advance(self.now)
        self._wait_for_pcpu(w)

    def _join(self, index: int) -> None:
        """Ring all, then wait for the last answer."""
        assert self.hand is not None, "the itinerary puts it in a worker's hands"
        step, w = self.system.steps[index], self.hand.worker
        if step.hold == Hold.BLOCK:
            waits = self._call_all(step)
            self.host.block(w)
            self._book(f"{self.system.workers[w].name} waits", index, step.account, waits)
            self._run_again(w)
            return
        waits = self._call_all(step)
        self.lap.cpu[self.system.workers[w].role] += waits
        self._book(f"{self.system.workers[w].name} spins", index, step.account, waits)

    def _put_by(self, index: int) -> None:
        """Ring all, let go, and be taken up again when the last has answered."""
        assert self.hand is not None, "the itinerary puts it in a worker's hands"
        inbox, step = self.hand.inbox, self.system.steps[index]
        waits = self._call_all(step)
        self._let_go()
        self._book("waits for answers", index, step.account, waits)
        self._arrive(inbox)

    def _call_all(self, join: StepRow) -> int:
        """Pay for every doorbell of a join; return what is left to wait for then."""
        last = self.now
        for number in range(join.target, join.target + join.other):
            row = self.system.classes[number]
            bell = self.system.bells[self.system.steps[row.path].target]
            state = self._state_of(bell.inbox)
            if bell.rule in SPARING:  # nobody else has anything to do
                continue
            self._pay(bell.pay[state], f"rings {bell.name}")
            self._count(bell.counter)
            last = max(last, self.now + bell.delay[state] + self._answer(row, bell, state))
        return last - self.now

    def _answer(self, row: ClassRow, bell: BellRow, state: int) -> int:
        """Return how long the consumer of a doorbell takes for its answer."""
        inbox = self.system.inboxes[bell.inbox]
        worker = self.system.workers[inbox.worker]
        spent = 0
        for sequence in (bell.debt[state], inbox.prologue):
            spent += self._length(range(*sequence))
        if state == ConsumerState.ASLEEP:
            spent += self._length(range(*worker.wake))
        elif state == ConsumerState.POLLING:
            spent += self._length(range(*worker.pickup))
        (stays, _), *_ = ways(self.system, self.source, row)
        return spent + sum(self._length((*stay.steps, stay.last)) for stay in stays)

    def _length(self, steps: Iterable[int]) -> int:
        return sum(self._cost(i) for i in steps if self.system.steps[i].kind in _TIMED)

    # -- doorbells --------------------------------------------------------------------------

    def _ring(self, index: int) -> None:
        """Decide, pay, hand over, and let the consumer notice."""
        bell = self.system.bells[index]
        inbox = self.system.inboxes[bell.inbox]
        self.host.advance(self.now, first=self.hand.worker if self.hand else NONE)
        if bell.rule == Rule.MODERATED and not self._moderated(bell):
            return
        state = self._state_of(bell.inbox)
        own = self.system.workers[inbox.worker].inbox == bell.inbox
        if bell.rule in _INDEXED and not _asked(state, bell.rule, own=own):
            self._arrive(bell.inbox)
            return
        if self.hand is not None:
            self._pay(bell.pay[state], f"rings {bell.name}")
        self._count(bell.counter)
        self._signal(index, bell.delay[state])

    def _moderated(self, bell: BellRow) -> bool:
        """Let the timer pass, for nobody comes to make up the count; False if it was seen."""
        if self.host.polls(self.system.inboxes[bell.inbox].worker):
            self._arrive(bell.inbox)
            return False
        worker = self.system.workers[self.system.inboxes[bell.inbox].worker]
        if bell.count != 1:
            asleep = worker.waits[WorkerState.ASLEEP]
            self._book(f"{worker.name} is told late", NONE, asleep, bell.timer)
            self.host.advance(self.now)
        return True

    def _signal(self, index: int, delay: int) -> None:
        """Let `delay` pass; the consumer pays by the state in which the signal finds it."""
        bell = self.system.bells[index]
        inbox = self.system.inboxes[bell.inbox]
        hand = self.hand
        own = hand is not None and hand.worker == inbox.worker
        looks = inbox.level == ORDINARY  # at what is in the inbox, told or not
        again = hand is not None and hand.inbox == bell.inbox
        if own and (again or (delay and looks)):
            self._arrive(bell.inbox)
            return
        first = NONE if delay or hand is None else hand.worker
        if delay and not self._delay(bell.inbox, delay):
            self._arrive(bell.inbox)
            return
        self.host.advance(self.now, first=first)
        self._arrive(bell.inbox, bell.debt[self._state_of(bell.inbox)])

    def _delay(self, inbox: int, delay: int) -> bool:
        """Wait for a signal; return False if the consumer's last look came before it."""
        row = self.system.inboxes[inbox]
        worker = self.system.workers[row.worker]
        self._let_go()
        self.host.advance(self.now)
        due, looks = self.now + delay, self.now
        if self.host.polls(row.worker):
            looks = min(self.host.poll_end(row.worker), due)
        found = row.level == ORDINARY and self.now < looks < due
        polling = looks - self.now
        self._book(f"{worker.name} polls", NONE, worker.waits[WorkerState.POLLING], polling)
        if not found:
            asleep = due - looks
            self._book(f"{worker.name} wake-up", NONE, worker.waits[WorkerState.ASLEEP], asleep)
        return not found

    def _state_of(self, inbox: int) -> int:
        """Return the state in which a doorbell finds the consumer of `inbox`."""
        row, hand = self.system.inboxes[inbox], self.hand
        if hand is not None and hand.worker == row.worker:
            if hand.inbox == inbox:
                return ConsumerState.ACTIVE
            level = self.system.inboxes[hand.inbox].level
            return ConsumerState.OTHER if level == ORDINARY else ConsumerState.PENDING
        polls = self.host.polls(row.worker)
        return ConsumerState.POLLING if polls else ConsumerState.ASLEEP

    # -- turns ------------------------------------------------------------------------------

    def _arrive(self, inbox: int, debt: Sequence = NOTHING) -> None:
        """Put the request into the hands of the worker of `inbox`, and begin its turn."""
        row, hand = self.system.inboxes[inbox], self.hand
        opening, what = NOTHING, ""
        if hand is None or hand.worker != row.worker:
            came = self._rouse(inbox)
            self.host.adapt(row.worker, row.level, self.now, came)
            worker = self.system.workers[row.worker]
            opening, what = worker.wake, "wakes"
            if came == NOTICED:
                opening, what = worker.pickup, "picks up"
        elif hand.inbox == inbox and not hand.over and (not row.batch or hand.taken < row.batch):
            hand.taken += bool(row.batch)
            return
        self.hand = Hand(row.worker, inbox)
        self._pay(opening, what)
        self._pay(debt, "is told")
        self._pay(row.prologue, "prologue")

    def _rouse(self, inbox: int) -> int:
        """Bring another worker onto a pCPU; return whether it was woken, or noticed by itself."""
        w = self.system.inboxes[inbox].worker
        first = self.hand.worker if self.hand else NONE
        self._let_go()
        self.host.advance(self.now, first=first)
        if self.host.polls(w):
            self.host.stop_poll(w, self.now)
            return NOTICED
        self._wait_for_pcpu(w)
        return WOKEN

    def _wait_for_pcpu(self, w: int) -> None:
        """Let a worker have a pCPU, when one is free, and pay the switch."""
        worker, pool = self.system.workers[w], self.system.pool
        start, follows = self.host.acquire(w, self.now)
        ready = worker.waits[WorkerState.READY]
        self._book(f"{worker.name} waits for a CPU", NONE, ready, start - self.now)
        if follows:
            self.lap.cpu[SWITCHING_ROLE] += pool.switch
            switching = worker.waits[WorkerState.SWITCHING]
            self._book(f"{worker.name} switch", NONE, switching, pool.switch)

    def _let_go(self) -> None:
        """The worker in hand, if any, has nothing left to do."""
        if self.hand is not None:
            self.host.idle(self.hand.worker, self.now)
            self.hand = None

    def _wait_for_next(self, latency: int) -> None:
        """Pass the time until the source's next request."""
        row, draws = self.source, self.system.draws
        if row.gap != NONE:
            rest = max(0, ticks(draws[row.gap].a) - latency)
        else:
            rest = 0 if row.think == NONE else ticks(draws[row.think].a)
        if rest:
            self._let_go()
            self.now += rest
            self.lap.events += 1

    # -- books ------------------------------------------------------------------------------

    def _cost(self, index: int) -> int:
        step = self.system.steps[index]
        row = draw_of(self.system, self.source, step)
        return step.ticks if row is None else ticks(row.a)

    def _book(self, label: str, step: int, account: int, spent: int) -> None:
        if spent:
            self.lap.spans[self.place, label, step, account] += spent
            self.lap.events += 1
            self.now += spent

    def _count(self, counter: int, times: int = 1) -> None:
        if counter != NONE:
            self.lap.counters[counter] += times

    def _polled(self, worker: int, spent: int, hit: bool) -> None:
        row = self.system.workers[worker]
        self.lap.cpu[row.role] += spent
        self._count(row.poll.hits if hit else row.poll.misses)
        self.lap.events += 1


def _asked(state: int, rule: int, *, own: bool) -> bool:
    """Whether the consumer asked to be told.

    A thread does before it sleeps, in an inbox of its `own`, or at each look at its ring; a handler
    and a task do after a turn.
    """
    if own and rule == Rule.RE_ENABLED and state == ConsumerState.POLLING:
        return True
    return state == ConsumerState.ASLEEP if own else state != ConsumerState.ACTIVE
