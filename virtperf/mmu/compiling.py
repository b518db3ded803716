"""How functions over arrays are compiled, and where the result is kept.

The builds have names of their own, made from the sources of this package: a change here does not
compile the engine anew, nor does a change of the engine compile this package. A compiled function
calls compiled functions of this package only.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from virtperf import builds

_njit: Any = numba.njit
_config: Any = numba.config
F = TypeVar("F", bound=Callable[..., Any])

_PREFIX, _SOURCES = "mmu-", ("mmu",)
_OPTIONS = {"_nrt": False, "error_model": "numpy", "boundscheck": builds.CHECKED}
_INSIDE = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def compiled(function: F) -> F:
    """Compile a function when one that calls it is.

    It allocates nothing, so numba need not count references to arrays (`_nrt`): it would do so for
    each row that is looked at, and that takes longer than what is done with the row.
    """
    made: F = _njit(function, **_OPTIONS, **_INSIDE)
    return made


def inlined(function: F) -> F:
    """Compile a function into each that calls it: what most accesses go through."""
    made: F = _njit(function, **_OPTIONS, **_INSIDE, forceinline=not builds.CHECKED)
    return made


def entry(function: F) -> F:
    """Compile the function that Python calls, and keep the result, with all that it calls.

    It lets go of Python's lock, so that threads may simulate side by side.
    """
    if not folder().is_dir():  # the first use of this version is when others are cleared away
        builds.sweep(_PREFIX, build_name())
    before = _config.CACHE_DIR
    _config.CACHE_DIR = str(folder())
    try:
        made: F = _njit(function, **_OPTIONS, cache=True, nogil=True)
    finally:
        _config.CACHE_DIR = before
    return made


def folder() -> Path:
    """Return where this build is kept."""
    return builds.home() / build_name()


@cache
def build_name() -> str:
    """Return a name that changes with the sources of this package and their compiler."""
    return _PREFIX + builds.digest(Path(__file__).parents[1], _SOURCES)
