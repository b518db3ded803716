"""Where tasks are carried out: here, in processes of this machine, or wherever somebody says."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol

from virtperf.experiment.work import main_hidden

AHEAD = 3  # tasks per worker that are handed over before one is done
MOST_AHEAD = 256  # tasks under way where nobody knows how many workers there are


class Submits(Protocol):
    """What an executor must have: the `submit` of `concurrent.futures.Executor`."""

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Begin `function(*args)` somewhere."""
        ...


class Here:
    """Carries a task out at once, in this process."""

    room = 1

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Do it; the future is done already."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def renew(self) -> bool:
        """Nothing here can break."""
        return False

    def close(self, *, at_once: bool = False) -> None:
        """Nothing is left behind."""


class Processes:
    """As many processes of this machine as it has cores; a process that dies is replaced.

    Workers are spawned, not forked, ignore Ctrl-C, and end when this process does.

    Parameters
    ----------
    workers : int, optional
        By default one per core.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1
        self.room = AHEAD * self.workers
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Begin `function(*args)` in one of the processes."""
        if self._pool is None:
            methods = multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context(
                "forkserver" if "forkserver" in methods else "spawn"
            )
            self._pool = ProcessPoolExecutor(self.workers, context, _prepare)
        with main_hidden():
            return self._pool.submit(function, *args)

    def start(self) -> None:
        """Let the processes begin, and load what they need, while something else is prepared."""
        for _ in range(self.workers):
            self.submit(_load)

    def renew(self) -> bool:
        """Start anew after a process died; whether that helps."""
        self.close(at_once=True)
        return True

    def close(self, *, at_once: bool = False) -> None:
        """End the processes, those in the middle of something too if `at_once`."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        running = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=not at_once, cancel_futures=True)
        for process in running if at_once else ():
            process.terminate()


class Given:
    """An executor of the caller's, who also ends it."""

    def __init__(self, executor: Submits) -> None:
        self.executor = executor
        workers = getattr(executor, "_max_workers", None)
        self.room = AHEAD * workers if isinstance(workers, int) else MOST_AHEAD

    def submit(self, function: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Begin `function(*args)` there."""
        return self.executor.submit(function, *args)

    def renew(self) -> bool:
        """Only its owner could."""
        return False

    def close(self, *, at_once: bool = False) -> None:
        """Its owner does."""


Place = Here | Processes | Given
BROKEN = (BrokenExecutor, OSError, EOFError)  # what a worker's end, or a cluster's, looks like


def _load() -> None:
    """Import what every task needs; nothing is compiled, or every process would do it."""
    import virtperf.experiment.tasks
    import virtperf.fast.engine  # noqa: F401


def _prepare() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what becomes of the tasks
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent has ended, however: nobody else would tell it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
