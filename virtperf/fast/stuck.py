"""Shows the tables of a run that is stuck as the objects that `tables.deadlock` looks at."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from virtperf.fast.machine import Machine
from virtperf.tables import NONE, Kind, StationKind
from virtperf.tables.deadlock import refuse_credit_cycle, refuse_cycle


def refuse_deadlock(machine: Machine, worker: int) -> None:
    """Refuse that a worker waits for what waits for it.

    Raises
    ------
    DeadlockError
        With the story of who waits for whom.
    """
    refuse_cycle(View(machine).workers[worker])


def refuse_credit_deadlock(machine: Machine) -> None:
    """Refuse that requests wait for credits that only such requests could give back.

    Raises
    ------
    DeadlockError
    """
    view = View(machine)
    refuse_credit_cycle(view.stocks.values(), view.requests.values())


class Shown:
    """Something with these attributes, which is itself and nothing else."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class View:
    """The state of a run as objects that refer to each other."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.tables, self.system = machine.tables, machine.system

    @cached_property
    def requests(self) -> dict[int, Any]:
        """Those under way, by number, the oldest first."""
        table = self.tables["requests"]
        alive = [i for i in range(len(table)) if table["alive"][i]]
        return {
            i: Shown(
                row=self.system.classes[table["klass"][i]],
                aside=int(table["aside"][i]),
                credits=[self.stocks[n] for n in self._credits(int(table["credits"][i]))],
            )
            for i in sorted(alive, key=lambda i: int(table["order"][i]))
        }

    def _credits(self, at: int) -> list[int]:
        table, found = self.tables["credits"], []
        while at != NONE:
            found.append(int(table["station"][at]))
            at = int(table["behind"][at])
        return found

    @cached_property
    def stocks(self) -> dict[int, Any]:
        """Stocks of credits, by number of the station."""
        return {
            i: _Stock(row, partial(self._queue, int(self.tables["stations"]["first"][i])))
            for i, row in enumerate(self.system.stations)
            if row.kind == StationKind.CREDIT
        }

    def _queue(self, *firsts: int) -> list[Any]:
        """Return the requests of the queues that begin with these."""
        table, found = self.tables["requests"], []
        for at in firsts:
            while at != NONE:
                found.append(self.requests[at])
                at = int(table["behind"][at])
        return found

    @cached_property
    def workers(self) -> list[Any]:
        """All workers, with what each needs."""
        rows = enumerate(self.system.workers)
        made: list[Any] = [Shown(row=row, index=i, machine=self) for i, row in rows]
        table, pcpus = self.tables["workers"], self.tables["pcpus"]
        for i, worker in enumerate(made):
            p = table["pcpu"][i]
            above = NONE if p == NONE else int(pcpus["intruder"][p])
            worker.pcpu = Shown(intruder=None if above == NONE else made[above])
        for i, worker in enumerate(made):
            n = int(table["need"][i])
            worker.need = None if n == NONE else self._need(n, made)
        return made

    def _need(self, n: int, workers: list[Any]) -> Any:
        row, stations = self.tables["needs"][n], self.tables["stations"]
        lock, request, step = int(row["lock"]), int(row["request"]), int(row["step"])
        return Shown(
            level=n % 2,
            deaf=bool(row["deaf"]),
            request=self.requests[request],
            lock=(
                lock != NONE
                and Shown(
                    row=self.system.stations[lock],
                    holder=int(stations["holder"][lock]),
                    level=int(stations["level"][lock]),
                )
            )
            or None,
            calls=[] if step == NONE else self._calls(request, step, workers),
        )

    def _calls(self, parent: int, step: int, workers: list[Any]) -> list[tuple[Any, Any]]:
        """Return the calls of a join that are not answered yet, and where each went."""
        table, found = self.tables["requests"], []
        for i, request in self.requests.items():
            if table["answers"][i] == parent:
                call = self.system.steps[request.row.path]
                assert call.kind == Kind.RING, "the assembly lets a join ring"
                number = self.system.bells[call.target].inbox
                inbox, row = self.tables["inboxes"][number], self.system.inboxes[number]
                queue = self._queue(int(inbox["again_first"]), int(inbox["fresh_first"]))
                found.append(
                    (
                        request,
                        Shown(worker=workers[row.worker], level=row.level, queue=queue),
                    )
                )
        return found


class _Stock:
    """A stock of credits; its queue is looked at when it is asked for."""

    def __init__(self, row: Any, queue: Callable[[], list[Any]]) -> None:
        self.row = row
        self._queue = queue

    @property
    def queue(self) -> list[Any]:
        """Requests that wait, the first first."""
        return self._queue()
