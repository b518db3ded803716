"""How often a mechanism with a state acts, from a run of its state alone: no queues, no costs."""

from random import Random
from types import SimpleNamespace

from virtperf.rules import doorbell as rule
from virtperf.tables import BellRow
from virtperf.units import TICKS_PER_NS

ENTRIES = 20_000
TICKS_PER_S = TICKS_PER_NS * 1_000_000_000


def rings_per_entry(bell: BellRow, rate_per_s: float, *, entries: int = ENTRIES) -> float:
    """Return how many signals a doorbell sends per entry, under Poisson arrivals.

    Parameters
    ----------
    bell : BellRow
        One without moderation rings for each entry here, as it does if its consumer keeps up.
    rate_per_s : float
        Entries per second.
    entries : int
        Length of the run.

    Returns
    -------
    float
        In (0, 1]. With a timer T alone it is near 1 / (1 + rate T).

    Examples
    --------
    >>> from virtperf.tables import BellRow, Rule
    >>> plain = dict(name="b", inbox=0, counter=-1, pay=(), delay=(), debt=())
    >>> rings_per_entry(BellRow(rule=Rule.ALWAYS, **plain), 1000.0)
    1.0
    >>> moderated = BellRow(rule=Rule.MODERATED, timer=10**9, count=1, **plain)
    >>> rings_per_entry(moderated, 1000.0)
    1.0
    """
    if bell.rule != rule.MODERATED or rate_per_s <= 0:
        return 1.0
    random = Random(1)
    state = SimpleNamespace(pending=0, timer=bell.timer, count=bell.count)
    now, due, signals = 0.0, float("inf"), 0
    for _ in range(entries):
        now += random.expovariate(rate_per_s / TICKS_PER_S)
        if now >= due:
            signals, state.pending, due = signals + 1, 0, float("inf")
        state.pending += 1
        after = rule.due(state)
        if after == 0:
            signals, state.pending, due = signals + 1, 0, float("inf")
        elif after > 0:
            due = now + after
    return float(signals + (state.pending > 0)) / entries
