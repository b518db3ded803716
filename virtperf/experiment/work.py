"""Carries units of work out on an executor: one unit is one replication of one system."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from virtperf.errors import UnknownNameError
from virtperf.tables import Run, System

ENGINES = {"sim": "virtperf.sim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One run to be made.

    Attributes
    ----------
    point : str
        Label of the point it belongs to.
    corner : str
        "" for the central numbers, else which numbers stand at an end of their range.
    cost : float
        Expected timed events; the longest go first.
    """

    point: str
    corner: str
    system: System
    seed: int
    replication: int
    requests: int
    engine: str
    cost: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a unit has no run, and how to see it again."""

    unit: Unit
    error: str

    @property
    def says(self) -> str:
        """One line: what, where, and the replay."""
        at = f"seed {self.unit.seed}, replication {self.unit.replication}"
        corner = f", {self.unit.corner}" if self.unit.corner else ""
        return f"{self.unit.point}{corner}: {self.error} ({at}; replay: {replay(self.unit)})"


class Executor(Protocol):
    """Anything with a map like that of `concurrent.futures.Executor`."""

    def map(self, function: Callable[[Any], Any], units: Iterable[Any], /) -> Iterator[Any]:
        """Return `function` of every unit, in order."""
        ...


class Serial:
    """The executor that is not there: units are run one after the other, here."""

    def map(self, function: Callable[[Any], Any], units: Iterable[Any], /) -> Iterator[Any]:
        """Return `function` of every unit, in order."""
        return map(function, units)


def run_one(system: System, seed: int, replication: int, requests: int, engine: str = "sim") -> Run:
    """Simulate one replication of one system; picklable, so that it can run anywhere."""
    if engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)
    run: Run = import_module(ENGINES[engine]).run(
        system, seed=seed, replication=replication, requests=requests
    )
    return run


def attempt(unit: Unit) -> Run | Failure:
    """Run a unit; a failure is an answer, so that it does not end the others."""
    try:
        return run_one(unit.system, unit.seed, unit.replication, unit.requests, unit.engine)
    except Exception as error:
        return Failure(unit=unit, error=f"{type(error).__name__}: {error}")


def replay(unit: Unit) -> str:
    """Return one line of Python that makes the run of a unit again."""
    call = f"seed={unit.seed}, replication={unit.replication}, requests={unit.requests}"
    return f"virtperf.experiment.replay(scenario, {unit.point!r}, {call})"


def execute(
    units: Sequence[Unit],
    executor: Executor | None,
    progress: Callable[[int, int, str], None] | None,
) -> Iterator[tuple[Unit, Run | Failure]]:
    """Yield each unit with its run, longest first; Ctrl-C ends the series.

    Raises
    ------
    KeyboardInterrupt
        After the units that had finished were yielded; no worker is left behind.
    """
    units = sorted(units, key=lambda unit: -unit.cost * unit.requests)
    with _started(executor, len(units)) as (chosen, ready):
        with ready():
            outcomes = chosen.map(attempt, units)
        for done, (unit, outcome) in enumerate(zip(units, outcomes, strict=True), start=1):
            if progress is not None:
                progress(done, len(units), unit.point)
            yield unit, outcome


@contextmanager
def _started(executor: Executor | None, units: int) -> Iterator[tuple[Executor, Any]]:
    """Provide the executor, and a context in which its workers may be started."""
    workers = min(units, os.cpu_count() or 1)
    if executor is not None or workers < 2:
        yield executor or Serial(), _as_it_is
        return
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_ignore_ctrl_c)
    try:
        yield pool, _main_hidden
    except BaseException:  # Ctrl-C, or a caller that wants no more: do not wait for what runs
        running = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        raise
    pool.shutdown()


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Keep workers from importing the user's script, which need not guard its own ``main``.

    A worker imports ``__main__`` by its file when it starts; all that a unit needs is importable
    from virtperf, and a script without the guard would start itself once more.
    """
    main = sys.modules["__main__"]
    kept = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    try:
        main.__spec__ = None
        if "__file__" in kept:
            del main.__file__
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)


def _ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what becomes of the units
