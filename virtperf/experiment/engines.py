"""Which engine makes the runs: the compiled one where it can, and if not, why."""

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

from virtperf.errors import UnknownNameError
from virtperf.tables import Run, System

FAST, SIM = "fast", "sim"
ENGINES = {FAST: "virtperf.fast", SIM: "virtperf.sim"}

Progress = Callable[[int], bool]


def known(engine: str | None) -> None:
    """Refuse an engine that there is not.

    Raises
    ------
    UnknownNameError
    """
    if engine is not None and engine not in ENGINES:
        raise UnknownNameError("engine", engine, ENGINES)


def choose(engine: str | None, systems: Iterable[System]) -> tuple[str, str]:
    """Return the engine to use, and, if it is not the fast one though nobody said so, why.

    The fast one is ready afterwards: here, so that no process has to compile it beside others.
    """
    known(engine)
    if engine is not None:
        if engine == FAST:
            import_module(ENGINES[FAST]).warm_up()
        return engine, ""
    reason = next(filter(None, map(why_not, systems)), "")
    return (SIM, f"engine sim: {reason}") if reason else (FAST, "")


def why_not(system: System) -> str:
    """Return why the compiled engine cannot run a system; "" if it can."""
    from virtperf.fast import why_not as why_not_this

    return _unusable() or why_not_this(system)


@cache
def _unusable() -> str:
    """Return why the compiled engine cannot be used at all."""
    try:
        import_module(ENGINES[FAST]).warm_up()
    except Exception as error:  # whatever keeps numba from compiling on this machine
        return f"the fast engine cannot be compiled here ({type(error).__name__}: {error})"
    return ""


def run_one(
    system: System,
    seed: int,
    replication: int,
    requests: int,
    engine: str,
    progress: Progress | None = None,
) -> Run:
    """Simulate one replication of one system; picklable, so that it can run anywhere.

    Parameters
    ----------
    progress : callable, optional
        Called with the requests finished so far, and asked whether to stop; only the fast engine
        asks.
    """
    known(engine)
    more: dict[str, Any] = {"progress": progress} if engine == FAST else {}
    run: Run = import_module(ENGINES[engine]).run(
        system, seed=seed, replication=replication, requests=requests, **more
    )
    return run
