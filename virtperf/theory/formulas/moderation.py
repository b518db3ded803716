"""Interrupt moderation under Poisson entries, in closed form.

The first entry starts a timer T; a signal is sent when the timer ends or with the n-th entry.

References
----------
.. [9] S. M. Ross, "Introduction to Probability Models", Academic Press: renewal reward processes.
"""

from collections.abc import Iterator
from math import exp

from virtperf.errors import ParameterError


def entries_per_signal(rate: float, timer: float, count: int) -> float:
    """Return the mean of min(1 + Poisson(rate T), n), the entries between two signals; [9]_.

    Parameters
    ----------
    rate : float
        Entries per unit of time.
    timer : float
        Longest delay of a signal, T.
    count : int
        Entries at which it is sent at once, n; 0 is no limit.

    Returns
    -------
    float
        At least 1; a share 1 / it of the entries is signalled.

    Examples
    --------
    >>> entries_per_signal(2.0, 3.0, 0), entries_per_signal(2.0, 3.0, 1)
    (7.0, 1.0)
    """
    if rate < 0 or timer < 0 or count < 0:
        raise ParameterError("moderation", "rate, timer, count", "0 or more", (rate, timer, count))
    if not count:
        return 1 + rate * timer
    return 1.0 + sum(_at_least(rate * timer, count - 1))


def moderation_delay(rate: float, timer: float, count: int) -> float:
    """Return the mean time from an entry to the signal that tells of it; [9]_.

    With the timer alone T (1 + rate T / 2) / (1 + rate T). With a count, the entries that wait are
    integrated over a cycle: k of them wait in all for k P(N >= k) / rate, where N is how many come
    while the timer runs.

    Parameters
    ----------
    rate, timer, count
        As in `entries_per_signal`.

    Returns
    -------
    float
        At most `timer`.

    Examples
    --------
    >>> moderation_delay(1.0, 2.0, 0), moderation_delay(1.0, 2.0, 1), moderation_delay(0.0, 2.0, 5)
    (1.3333333333333333, 0.0, 2.0)
    """
    entries = entries_per_signal(rate, timer, count)
    if count == 1:
        return 0.0
    if rate * timer == 0:
        return timer
    if not count:
        return timer * (1 + rate * timer / 2) / entries
    waits = sum(k * share for k, share in enumerate(_at_least(rate * timer, count - 1), start=1))
    return waits / rate / entries


def _at_least(mean: float, most: int) -> Iterator[float]:
    """Yield the chances that a Poisson number is at least 1, 2, ..., `most`."""
    chance = below = exp(-mean)  # 0 for a large mean: then so many have come for certain
    for k in range(1, most + 1):
        yield max(0.0, 1 - below)
        chance *= mean / k
        below += chance
