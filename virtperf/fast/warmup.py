"""The engine is compiled once for each version, whoever comes first; the others wait for it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from numba import types

from virtperf.fast.compiling import CHECKED, folder, sweep, thrift
from virtperf.fast.loop import enter_loop

Say = Callable[[str], None]
LINE = "compiling the fast engine: once for this version of virtperf, some fifteen seconds ..."


def warm_up(say: Say | None = None) -> float:
    """Have the engine compiled, or load what has been kept; return the seconds that took.

    Parameters
    ----------
    say : callable, optional
        Called with a line that says what is happening if that takes long; by default it is
        written to standard error.
    """
    loop: Any = enter_loop
    start = perf_counter()
    if not loop.overloads:
        with _one_at_a_time():
            try:
                _load_or_compile(loop, say or _print)
            except Exception:  # what was kept is damaged: away with it, and once more
                if not _kept(loop):
                    raise
                shutil.rmtree(folder(), ignore_errors=True)
                _load_or_compile(loop, say or _print)
        loop.disable_compile()  # whatever else it is called with is a mistake
    return perf_counter() - start


def _load_or_compile(loop: Any, say: Say) -> None:
    if not _kept(loop):
        say(LINE if not CHECKED else f"{LINE} with bounds checks")
        sweep()
    with thrift(loop.py_func.__name__):
        loop.compile((types.int64, types.int64))


def _kept(loop: Any) -> bool:
    """Return whether a build of this version has been kept."""
    return any(Path(loop.stats.cache_path).glob("*.nbi"))


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Wait while another process compiles, where the system has locks for that."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
