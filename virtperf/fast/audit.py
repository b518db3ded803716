"""The check at the end of every run: all time is booked once, to the tick."""

import numpy as np

from virtperf.errors import LedgerError
from virtperf.fast.machine import Machine
from virtperf.tables import WorkerState

ON_A_CPU = [
    WorkerState.RUNNING,
    WorkerState.INTERRUPT,
    WorkerState.SWITCHING,
    WorkerState.POLLING,
]


def check(machine: Machine) -> int:
    """Check the CPU ledger and all that is under way; return what requests have booked, in ticks.

    The CPU ledger is kept twice, by the pCPUs (what ran) and by the workers (in which state); the
    two must agree, and the pCPUs must add up to pCPUs x time.

    Raises
    ------
    LedgerError
        If a tick is missing or booked twice.
    """
    now, system = machine.get("now"), machine.system
    pcpus, workers = machine.tables["pcpus"], machine.tables["workers"]
    cpu = machine.tables["cpu"].reshape(len(pcpus), len(system.accounts)).copy()
    cpu[np.arange(len(pcpus)), pcpus["account"]] += now - pcpus["since"]
    for index, total in enumerate(cpu.sum(axis=1).tolist()):
        if total != now:
            raise LedgerError(f"pCPU {index}: {total} of {now} ticks are booked")
    states = workers["times"].copy()
    states[np.arange(len(workers)), workers["state"]] += now - workers["entered"]
    for row, total in zip(system.workers, states.sum(axis=1).tolist(), strict=True):
        if total != now:
            raise LedgerError(f"{row.name}: {total} of {now} ticks are booked")
    idle = sum(sum(cpu[:, account].tolist()) for account in system.pool.idling)
    busy = now * len(pcpus) - idle
    on_cpu = sum(states[:, ON_A_CPU].sum(axis=1).tolist())
    if on_cpu != busy:
        raise LedgerError(f"workers ran for {on_cpu} ticks but pCPUs were busy for {busy}")
    return _check_requests(machine, now)


def _check_requests(machine: Machine, now: int) -> int:
    requests = machine.tables["requests"]
    booked = machine.tables["booked"].reshape(len(requests), len(machine.system.accounts))
    alive = requests["alive"] == 1
    residence = (now - requests["created"])[alive]
    totals = booked[alive].sum(axis=1)
    for klass, expected, total in zip(
        requests["klass"][alive].tolist(), residence.tolist(), totals.tolist(), strict=True
    ):
        if total != expected:
            refuse(machine, klass, expected, total)
    return int(totals[requests["side"][alive] == 0].sum())


def refuse(machine: Machine, klass: int, residence: int, booked: int) -> None:
    """Refuse the account of a request of a class.

    Raises
    ------
    LedgerError
    """
    raise LedgerError(
        f"a request of {machine.system.classes[klass].name} was in the system for {residence} "
        f"ticks but {booked} were booked: {residence - booked} missing"
    )
