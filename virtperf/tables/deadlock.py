"""Finds those who wait for each other for ever, and tells who waits for whom.

It looks at workers, requests and stocks of credits as `virtperf.sim` has them; another engine
shows its own state in this form.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from virtperf.errors import DeadlockError
from virtperf.tables.rows import NONE

ORDINARY = 0
Worker: TypeAlias = Any  # sim.hands.Hands, or what looks like it
Request: TypeAlias = Any  # sim.request.Request, or what looks like it
Credits: TypeAlias = Any  # sim.credit.Credits, or what looks like it


def refuse_cycle(worker: Worker) -> None:
    """Refuse that `worker` waits for what, in the end, waits for it.

    It waits for a lock or for the answers of a join. A cycle closes with the last wait in it, when
    a lock is handed to the ordinary level of a worker whose interrupt level waits, or below an
    interrupt level whose wait ends: looking then is enough.

    Raises
    ------
    DeadlockError
    """
    if told := _way_back(worker, worker, set()):
        raise DeadlockError(f"deadlock: {'; '.join(told)}")


def _way_back(worker: Worker, home: Worker, seen: set[Worker]) -> list[str]:
    """Return who waits for whom from `worker` on until `home` comes round; [] if it never does."""
    for other, why in _needs(worker):
        if other is home:
            return [why]
        if other is not worker and other not in seen:
            seen.add(other)
            if told := _way_back(other, home, seen):
                return [why, *told]
    return []


def _needs(worker: Worker) -> Iterator[tuple[Worker, str]]:
    """Yield those without whom `worker` cannot go on, and why; of them, who waits as well."""
    above = _above(worker)
    if above is not None and above.need is not None:
        yield above, f"{worker.row.name} stands still below {above.row.name}"
    need = worker.need
    if need is None:
        return
    lock = need.lock
    if lock is not None and lock.holder != NONE:
        holder = worker.machine.workers[lock.holder]
        handed = holder is worker and lock.level == need.level  # and it does not know yet
        if not handed and (_waits(holder, lock.level) or _above(holder)):
            yield holder, f"{worker.row.name} waits for {lock.row.name}, held by {holder.row.name}"
    for call, inbox in need.calls:
        other = inbox.worker
        if other.need is None:
            continue
        unheard = call in inbox.queue and (other.need.deaf or inbox.level == ORDINARY)
        if unheard or other.need.request is call:
            yield other, f"{worker.row.name} waits for an answer of {other.row.name}"


def _waits(worker: Worker, level: int) -> bool:
    """Whether `level` of `worker` cannot go on before something comes."""
    return bool(worker.need is not None and worker.need.level >= level)


def _above(worker: Worker) -> Worker:
    """Return the host interrupt work that stands above `worker`."""
    intruder = worker.pcpu.intruder if worker.pcpu is not None else None
    if intruder is None or intruder is worker:
        return None
    return worker.machine.workers[intruder.index]


def refuse_credit_cycle(credits: Iterable[Credits], requests: Iterable[Request]) -> None:
    """Refuse a state in which requests wait for credits that only such requests could give back.

    Parameters
    ----------
    credits : iterable of Credits
    requests : iterable of Request
        All under way.

    Raises
    ------
    DeadlockError
    """
    parked = {request: stock for stock in credits for request in stock.queue}
    holders: dict[Credits, list[Request]] = {stock: [] for stock in parked.values()}
    for request in requests:
        for stock in request.credits:
            holders.get(stock, []).append(request)
    stuck = set(holders)
    while free := {s for s in stuck if _moves(s, holders[s], parked, stuck)}:
        stuck -= free
    if stuck:
        raise DeadlockError(f"deadlock: {_story(stuck, holders, parked)}")


def _moves(
    stock: Credits,
    holders: Iterable[Request],
    parked: dict[Request, Credits],
    stuck: set[Credits],
) -> bool:
    """Whether some credit of `stock` may still come back: not all are held by who is stuck.

    A side path may give back what its request took.
    """
    held = [request for request in holders if parked.get(request) in stuck and not request.aside]
    return len(held) < int(stock.row.servers)


def _story(
    stuck: set[Credits],
    holders: dict[Credits, list[Request]],
    parked: dict[Request, Credits],
) -> str:
    """Follow one holder from stock to stock until it comes round."""
    stock = min(stuck, key=lambda s: s.row.name)
    told: list[str] = []
    seen: set[Credits] = set()
    while stock not in seen:
        seen.add(stock)
        holder = next(r for r in holders[stock] if parked.get(r) in stuck)
        wanted = parked[holder]
        told.append(
            f"all {stock.row.servers} of {stock.row.name} are held by requests "
            f"({holder.row.name}) that wait for {wanted.row.name}"
        )
        stock = wanted
    return "; ".join(told)
