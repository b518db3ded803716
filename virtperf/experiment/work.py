"""Carries units of work out on an executor: one unit is one replication of one system."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

from virtperf.experiment.engines import FAST, run_one
from virtperf.experiment.watch import Watch
from virtperf.tables import Run, System

LOOK_S = 0.2  # between two looks at runs in other processes
SHORT = 5e6  # timed events in all: the fast engine needs less for them than processes to start

Progress = Callable[[float, int, str], None]
Outcome = tuple["Unit", "Run | Failure"]


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


def attempt(unit: Unit, progress: Callable[[int], bool] | None = None) -> Run | Failure:
    """Run a unit; a failure is an answer, so that it does not end the others."""
    given = (unit.system, unit.seed, unit.replication, unit.requests, unit.engine)
    try:
        return run_one(*given, progress) if progress is not None else run_one(*given)
    except Exception as error:
        return Failure(unit=unit, error=f"{type(error).__name__}: {error}")


def replay(unit: Unit) -> str:
    """Return one line of Python that makes the run of a unit again."""
    call = f"seed={unit.seed}, replication={unit.replication}, requests={unit.requests}"
    return f"virtperf.experiment.replay(scenario, {unit.point!r}, {call})"


def execute(
    units: Sequence[Unit], executor: Executor | None, progress: Progress | None
) -> Iterator[Outcome]:
    """Yield each unit with its run, longest first; Ctrl-C ends the series.

    Raises
    ------
    KeyboardInterrupt
        After the units that had finished, or had got somewhere, were yielded; no worker is left
        behind.
    """
    units = sorted(units, key=lambda unit: -unit.cost * unit.requests)
    outcomes: Iterator[Outcome]
    if executor is not None:
        outcomes = zip(units, executor.map(attempt, units), strict=True)
    elif min(len(units), os.cpu_count() or 1) < 2 or _short(units):
        outcomes = _here(units, progress)
    else:
        outcomes = _in_processes(units, progress)
    for done, (unit, outcome) in enumerate(outcomes, start=1):
        if progress is not None:
            progress(done, len(units), unit.point)
        yield unit, outcome


def _short(units: Sequence[Unit]) -> bool:
    """Whether all units are over before processes would have been started for them."""
    events = sum(unit.cost * unit.requests for unit in units)
    return events < SHORT and all(unit.engine == FAST for unit in units)


def _here(units: Sequence[Unit], progress: Progress | None) -> Iterator[Outcome]:
    """Run the units one after the other, here."""
    for number, unit in enumerate(units):
        watch = Watch([0.0], SimpleNamespace(value=0))
        look = watch.progress(0, unit.requests)

        def told(finished: int, number: int = number, unit: Unit = unit, look: Any = look) -> bool:
            stop: bool = look(finished)
            if progress is not None:
                progress(number + finished / unit.requests, len(units), unit.point)
            return stop

        if unit.engine != FAST:
            yield unit, attempt(unit)
            continue
        with watch.ctrl_c():
            outcome = attempt(unit, told)
        yield unit, outcome
        if watch.stop.value:
            raise KeyboardInterrupt


def _in_processes(units: Sequence[Unit], progress: Progress | None) -> Iterator[Outcome]:
    """Run the units in as many processes as there are cores; look at them now and then."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    watch = Watch(context.RawArray("d", len(units)), context.RawValue("i", 0))
    workers = min(len(units), os.cpu_count() or 1)
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_prepare, initargs=(watch.shares, watch.stop)
    )
    try:
        with watch.ctrl_c():
            with main_hidden():
                futures = [pool.submit(_attempt_there, *pair) for pair in enumerate(units)]
            yield from _collect(units, futures, watch, progress)
    except BaseException:  # Ctrl-C, or a caller that wants no more: do not wait for what runs
        running = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        raise
    pool.shutdown()


def _collect(
    units: Sequence[Unit],
    futures: Sequence["Future[Run | Failure]"],
    watch: Watch,
    progress: Progress | None,
) -> Iterator[Outcome]:
    for number, (unit, future) in enumerate(zip(units, futures, strict=True)):
        while not future.done():
            if watch.stop.value:
                _stop(futures)
                break
            wait([future], timeout=LOOK_S)
            if progress is not None:
                progress(watch.done(number), len(units), unit.point)
        if future.done() and not future.cancelled():
            yield unit, future.result()
    if watch.stop.value:
        raise KeyboardInterrupt


def _stop(futures: Sequence["Future[Run | Failure]"]) -> None:
    """Let none begin that has not, and give those that run a moment to end as they stand."""
    for future in futures:
        future.cancel()
    wait([future for future in futures if not future.cancelled()], timeout=2.0)


_watch: list[Watch] = []  # of a worker process, once it is prepared


def _prepare(shares: Any, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what becomes of the units
    _watch.append(Watch(shares, stop))


def _attempt_there(number: int, unit: Unit) -> "Run | Failure":
    return attempt(unit, _watch[-1].progress(number, unit.requests))


@contextmanager
def main_hidden() -> Iterator[None]:
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
