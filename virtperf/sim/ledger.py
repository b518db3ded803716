"""The check at the end of every run: all time is booked once, to the tick."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from virtperf.errors import LedgerError
from virtperf.sim.request import Request
from virtperf.tables import WorkerState

if TYPE_CHECKING:
    from virtperf.sim.engine import Machine

ON_A_CPU = (
    WorkerState.RUNNING,
    WorkerState.INTERRUPT,
    WorkerState.SWITCHING,
    WorkerState.POLLING,
)


def check_request(request: Request, now: int) -> int:
    """Return the time a request has been in the system, in ticks.

    Raises
    ------
    LedgerError
        If what was booked to it is not exactly that.
    """
    residence = now - request.created
    booked = sum(request.booked.values())
    if booked != residence:
        raise LedgerError(
            f"a request of {request.row.name} was in the system for {residence} ticks "
            f"but {booked} were booked: {residence - booked} missing"
        )
    return residence


def check(machine: "Machine", in_flight: Iterable[Request]) -> int:
    """Check the CPU ledger and all that is under way; return what requests have booked, in ticks.

    The CPU ledger is kept twice, by the pCPUs (what ran) and by the workers (in which state); the
    two must agree, and the pCPUs must add up to pCPUs x time.

    Raises
    ------
    LedgerError
        If a tick is missing or booked twice.
    """
    now, idling = machine.env.now, machine.system.pool.idling
    busy = 0
    for pcpu in machine.pool.pcpus:
        times = pcpu.account.read()
        if sum(times) != now:
            raise LedgerError(f"pCPU {pcpu.index}: {sum(times)} of {now} ticks are booked")
        busy += now - sum(times[account] for account in idling)
    on_cpu = 0
    for worker in machine.workers:
        states = worker.clock.read()
        if sum(states) != now:
            raise LedgerError(f"{worker.row.name}: {sum(states)} of {now} ticks are booked")
        on_cpu += sum(states[state] for state in ON_A_CPU)
    if on_cpu != busy:
        raise LedgerError(f"workers ran for {on_cpu} ticks but pCPUs were busy for {busy}")
    open_ = [(check_request(request, now), request.row.side) for request in in_flight]
    return sum(ticks for ticks, side in open_ if not side)
