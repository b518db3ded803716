"""A million random interleavings of producer, signal and consumer: no wake-up is lost.

The rules are those the engine uses, compiled; what is around them is reduced to its order of
events: a producer decides, may be held up, and hands over; a signal may be under way; a consumer
publishes before it sleeps, and withdraws when it begins to poll.
"""

import numpy as np
import pytest

from virtperf.rules import doorbell

numba = pytest.importorskip("numba")
pytestmark = pytest.mark.property
INTERLEAVINGS, STEPS = 1_000_000, 40
ASLEEP, RUNNING, BETWEEN = 0, 2, 6  # of the worker: states as in the tables, and about to look
_OF_A_BELL = ["rule", "produced", "event", "batch", "rung", "pending", "timer", "count"]
BELL = [(name, np.int64) for name in _OF_A_BELL]
INBOX = [(name, np.int64) for name in ["in_turn", "told", "notified", "level", "queue"]]
WORKER = [(name, np.int64) for name in ["state", "polling", "masked", "level"]]


@numba.njit
def _random(state):
    """Return the next number of a small generator (xorshift), and its state."""
    state ^= (state << 13) & 0xFFFFFFFFFFFFFFFF
    state ^= state >> 7
    state ^= (state << 17) & 0xFFFFFFFFFFFFFFFF
    return state


def interleaving(rings, consumer_state, publish, withdraw, event_index, broken):
    """Return a compiled function that plays many games and counts the lost wake-ups.

    `broken` leaves one thing out, to show that the game can be lost: 1 sleeps without publishing,
    2 forgets a signal that finds its consumer polling.
    """

    @numba.njit
    def look(inbox, worker):
        """Let the consumer take all that is there."""
        inbox.told = 0
        inbox.in_turn = 1
        worker.state = RUNNING
        worker.polling = 0

    @numba.njit
    def play(games, steps, seed, bell_rows, inbox_rows, worker_rows):
        lost = 0
        state = np.uint64(seed)
        for _ in range(games):
            bell, inbox, worker = bell_rows[0], inbox_rows[0], worker_rows[0]
            bell.rule, bell.produced, bell.event = event_index, 0, 0
            inbox.in_turn = inbox.told = inbox.notified = inbox.level = inbox.queue = 0
            worker.state = worker.polling = worker.masked = worker.level = 0
            signals = 0  # under way
            found = -1  # in which state a producer that rings has found the consumer, if one does
            for step in range(steps + 2):
                state = _random(state)
                move = state % np.uint64(5)
                if step >= steps:  # in the end the hand-over and the signals get through
                    move = np.uint64(1 + step - steps)
                if move == 0 and found == -1:  # a producer decides
                    rung = rings(bell)
                    bell.produced += 1
                    if rung:
                        found = consumer_state(inbox, worker)
                        inbox.notified += 1
                    else:  # which costs nothing: it is handed over in the same instant
                        inbox.queue += 1
                        if worker.polling:
                            look(inbox, worker)
                elif move == 1 and found != -1:  # ... and hands over
                    inbox.queue += 1
                    if found == 0:
                        inbox.notified -= 1
                        found = consumer_state(inbox, worker)
                        if found != 0:
                            inbox.notified += 1
                    if found != 0:
                        signals += 1
                    found = -1
                while move == 2 and signals > 0:  # a signal arrives
                    signals -= 1
                    inbox.notified -= 1
                    seen = consumer_state(inbox, worker)
                    if inbox.queue and seen != 0 and not (broken == 2 and seen == 2):
                        inbox.told = 1
                        if worker.state == ASLEEP or worker.polling:
                            look(inbox, worker)
                    if step < steps:
                        break
                if move == 3 and inbox.in_turn:  # the consumer takes one, or ends its turn
                    if inbox.queue:
                        inbox.queue -= 1
                    else:
                        inbox.in_turn = 0
                        worker.state = BETWEEN
                elif move == 4 and worker.state == BETWEEN and not inbox.in_turn:
                    if inbox.queue:
                        look(inbox, worker)
                    elif worker.polling or state % np.uint64(2):
                        worker.polling = 0
                        worker.state = ASLEEP
                        if broken != 1:
                            publish(bell)
                    else:
                        worker.polling = 1
                        withdraw(bell)
            if inbox.queue and (worker.state == ASLEEP or worker.polling):
                lost += 1  # nobody will ever look
        return lost

    return play


def games(event_index: int, broken: int = 0, count: int = INTERLEAVINGS) -> int:
    rules = [doorbell.rings, doorbell.consumer_state, doorbell.publish, doorbell.withdraw]
    play = interleaving(*map(numba.njit, rules), event_index, broken)
    rows = [np.zeros(1, dtype=layout).view(np.recarray) for layout in (BELL, INBOX, WORKER)]
    return int(play(count, STEPS, 88172645463325252, *rows))


@pytest.mark.slow
@pytest.mark.parametrize("rule", [doorbell.ALWAYS, doorbell.EVENT_INDEX])
def test_a_million_interleavings_lose_no_wake_up(rule):
    assert games(rule) == 0


@pytest.mark.parametrize(("rule", "broken"), [(doorbell.EVENT_INDEX, 1), (doorbell.ALWAYS, 2)])
def test_the_game_can_be_lost(rule, broken):
    """Else the test above would prove nothing."""
    assert games(rule, broken, count=2_000) > 10
