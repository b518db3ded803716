"""How often mechanisms with a state act per visit: no queues, no costs."""

from collections.abc import Mapping
from typing import NamedTuple

from virtperf.tables import BellRow, Rule, System
from virtperf.theory.formulas import entries_per_signal, moderation_delay


class Rates(NamedTuple):
    """What a mechanism answers to "how often?".

    `visits` maps a purpose, here the name of a doorbell, to the chance that a visit costs what
    its path says, here that an entry is signalled; `how` says where that comes from.
    """

    visits: Mapping[str, float]
    how: str


def moderated(system: System) -> list[BellRow]:
    """Return the doorbells that hold signals back."""
    return [bell for bell in system.bells if bell.rule == Rule.MODERATED]


def rates(system: System, entries: Mapping[str, float]) -> Rates:
    """Return how many signals moderated doorbells send per entry.

    Parameters
    ----------
    system : System
    entries : mapping of doorbell to rate
        Entries per tick, taken to be Poisson; a doorbell that is missing has none.

    Returns
    -------
    Rates
        In (0, 1]: 1 / E[min(1 + Poisson(rate T), n)] of each moderated doorbell.
    """
    visits = {
        bell.name: 1 / entries_per_signal(entries.get(bell.name, 0.0), bell.timer, bell.count)
        for bell in moderated(system)
    }
    return Rates(visits, "formula")


def held_back(bell: BellRow, entries: float) -> float:
    """Return for how many ticks, in the mean, moderation holds a signal back."""
    return moderation_delay(entries, bell.timer, bell.count)
