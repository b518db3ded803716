"""Who waits for whom, from the tables of a run that is stuck; found by `tables.deadlock`."""

from virtperf.fast.machine import Machine


def refuse_deadlock(machine: Machine, worker: int) -> None:
    pass


def refuse_credit_deadlock(machine: Machine) -> None:
    pass
