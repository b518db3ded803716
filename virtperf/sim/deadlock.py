"""Finds those who wait for each other for ever, and tells who waits for whom."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from virtperf.errors import DeadlockError
from virtperf.tables import NONE

if TYPE_CHECKING:
    from virtperf.sim.credit import Credits
    from virtperf.sim.hands import Hands
    from virtperf.sim.lock import Lock
    from virtperf.sim.request import Request


def refuse_lock_cycle(lock: "Lock", worker: "Hands") -> None:
    """Refuse that `worker` begins to wait for `lock` if its holder waits, in the end, for it.

    Each worker waits for one lock at a time, so the chain has no branches; it is looked at only
    when a wait begins.

    Raises
    ------
    DeadlockError
    """
    told = []
    waits, wanted = worker, lock
    while wanted.holder != NONE:
        holder = worker.machine.workers[wanted.holder]
        told.append(f"{waits.row.name} waits for {wanted.row.name}, held by {holder.row.name}")
        if holder is worker:
            raise DeadlockError(f"deadlock: {'; '.join(told)}")
        if holder.wants is None or holder.wants.holder == holder.index:
            return  # it goes on, or has been handed what it waited for and does not know yet
        waits, wanted = holder, holder.wants


def refuse_credit_cycle(credits: Iterable["Credits"], requests: Iterable["Request"]) -> None:
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
    stock: "Credits",
    holders: Iterable["Request"],
    parked: dict["Request", "Credits"],
    stuck: set["Credits"],
) -> bool:
    """Whether some credit of `stock` may still come back: not all are held by who is stuck."""
    held = [request for request in holders if parked.get(request) in stuck]
    return len(held) < stock.row.servers


def _story(
    stuck: set["Credits"],
    holders: dict["Credits", list["Request"]],
    parked: dict["Request", "Credits"],
) -> str:
    """Follow one holder from stock to stock until it comes round."""
    stock = min(stuck, key=lambda s: s.row.name)
    told, seen = [], set[Credits]()
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
