"""The way of one request through an idle system, step by step: where it is, why, how long."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf.theory.itinerary import classes_of, ways
from virtperf.theory.zero_load import zero_load
from virtperf.units import TICKS_PER_NS

if TYPE_CHECKING:
    from virtperf.tables import System

_COPY = re.compile(r"^[\w-]+\[\d+\]\.")  # a VM's copy, in front of what is its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One stretch of the way.

    Attributes
    ----------
    where : str
        Worker or station, without the name of its VM.
    what : str
        Ledger account, without the worker's role in front.
    account : str
        Ledger account.
    start, ns : float
        From the request's creation on, and for how long, in ns.
    """

    where: str
    what: str
    account: str
    start: float
    ns: float


def way(system: "System", source: int = 0) -> list[Leg]:
    """Return the way of a request of one source, in the order in which it goes it.

    Neighbouring steps of one account at one place are one leg. Where a request goes several ways,
    each has its share of the time.

    Examples
    --------
    >>> from virtperf.build import build
    >>> from virtperf.scenario import Scenario
    >>> [leg.where for leg in way(build(Scenario.load("toy")))][:2]
    ['vcpu0', 'iothread']
    """
    legs: list[Leg] = []
    now = 0.0
    for stretch in zero_load(system, source).per_step:
        ns, where = stretch.ticks / TICKS_PER_NS, _place(system, stretch.label)
        last = legs[-1] if legs else None
        if last is not None and (last.where, last.account) == (where, stretch.account):
            legs[-1] = Leg(
                where=where,
                what=last.what,
                account=last.account,
                start=last.start,
                ns=last.ns + ns,
            )
        else:
            _, _, what = stretch.account.rpartition(": ")
            if stretch.account.startswith("wait: "):
                what = stretch.account
            legs.append(Leg(where=where, what=what, account=stretch.account, start=now, ns=ns))
        now += ns
    return legs


def several(system: "System", source: int = 0) -> bool:
    """Return whether requests of a source go several ways, so that legs are means over these."""
    row = system.sources[source]
    return sum(len(ways(system, row, one)) for one, _ in classes_of(system, row)) > 1


def _place(system: "System", label: str) -> str:
    """Return who a label is about: the longest name of a worker or station that it begins with."""
    names = [row.name for row in system.workers] + [row.name for row in system.stations]
    fits = [name for name in names if label == name or label.startswith(f"{name} ")]
    return _COPY.sub("", max(fits, key=len, default=label))
