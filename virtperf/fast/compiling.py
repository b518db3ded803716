"""How the engine's functions are compiled, where the result is kept, and when it is thrown away.

numba looks at one source file to see whether what it kept is stale; here a function, the layout of
its tables and the rules it calls are in several. So what is kept stands in a folder named by a
hash of all of them, and of the versions of Python, NumPy and numba: another version looks
elsewhere, and what it finds of others there it removes when it compiles.

What is compiled has no recursion: numba cannot keep a function that calls itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dis import get_instructions
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import numba
from numba.core import codegen

from virtperf import builds

_njit: Any = numba.njit
_config: Any = numba.config
F = TypeVar("F", bound=Callable[..., Any])

CHECKED = builds.CHECKED
_OPTIONS = {"_nrt": False, "error_model": "numpy", "boundscheck": CHECKED}
_INSIDE = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_PREFIX, _SOURCES = "engine-", ("fast", "rules", "tables")


def compiled(function: F) -> F:
    """Compile a function of the engine when one that calls it is.

    It allocates nothing, so numba need not count references (`_nrt`). Whether the compiler copies
    it into its callers is said in any case, or numba would let it inherit that from one of them.
    """
    made: F = _njit(function, **_OPTIONS, **_INSIDE, forceinline=False)
    return made


def inlined(function: F) -> F:
    """Compile a function into each that calls it: most of what each request goes through.

    A call costs more than it would elsewhere, and all such copies together must not fill the
    processor's caches: what few requests need is `compiled`.
    """
    made: F = _njit(function, **_OPTIONS, **_INSIDE, forceinline=not CHECKED)
    return made


def of_rule(rule: Callable[..., Any], form: Callable[[Any], Any] = compiled) -> Any:
    """Compile a rule with the rules it calls, of which there is one copy each.

    Parameters
    ----------
    rule : callable
        A plain function of `virtperf.rules`, which knows nothing of being compiled.
    form : callable
        How: `compiled`, `inlined`, or numba's own decorator.
    """
    return form(_with_compiled_helpers(rule))


def _with_compiled_helpers(rule: Callable[..., Any]) -> FunctionType:
    """Return a copy of a rule that finds the compiled form of each rule it names."""
    assert isinstance(rule, FunctionType), "a rule is a plain function"
    names = rule.__globals__
    used = {one.argval for one in get_instructions(rule) if one.opname == "LOAD_GLOBAL"}
    helpers = {
        name: _helper(value) for name in used if isinstance(value := names.get(name), FunctionType)
    }
    copy = FunctionType(rule.__code__, names | helpers, rule.__name__)
    copy.__module__, copy.__qualname__ = rule.__module__, rule.__qualname__
    return copy


@cache
def _helper(rule: Callable[..., Any]) -> Any:
    return of_rule(rule)


def entry(function: F) -> F:
    """Compile the function that Python calls, and keep the result, with all that it calls."""
    before = _config.CACHE_DIR
    _config.CACHE_DIR = str(folder())
    try:
        made: F = _njit(function, **_OPTIONS, cache=True)
    finally:
        _config.CACHE_DIR = before
    return made


@contextmanager
def thrift(name: str) -> Iterator[None]:
    """Let only function `name` be optimized and turned into machine code, with all it calls inside.

    numba does both for each function on the way, each time with all that the function calls: here
    three times the work. A numba that is built otherwise than those we know does so still.
    """
    library, engine = codegen.CPUCodeLibrary, codegen.JITCPUCodegen
    try:
        optimize, finalize = library._optimize_final_module, library._finalize_final_module
        set_env = engine.set_env
    except AttributeError:
        yield
        return

    def optimize_whole(self: Any) -> None:
        if self.name == name:
            optimize(self)

    def finalize_whole(self: Any) -> None:
        if self.name == name:
            finalize(self)
        else:
            self._finalized = True

    def set_env_of_whole(self: Any, symbol: str, env: Any) -> None:
        if self._engine.is_symbol_defined(symbol):
            set_env(self, symbol, env)

    parts = [
        (library, "_optimize_final_module", optimize, optimize_whole),
        (library, "_finalize_final_module", finalize, finalize_whole),
        (engine, "set_env", set_env, set_env_of_whole),
    ]
    for owner, method, _, ours in parts:
        setattr(owner, method, ours)
    try:
        yield
    finally:
        for owner, method, theirs, _ in parts:
            setattr(owner, method, theirs)


# -- where it is kept -------------------------------------------------------------------------


def folder() -> Path:
    """Return where this build is kept."""
    return builds.home() / build_name()


@cache
def build_name() -> str:
    """Return a name that changes with the layout, the rules, the engine and their compiler."""
    return _PREFIX + digest(Path(__file__).parents[1])


def digest(root: Path) -> str:
    """Return a hash of all that decides what the engine at `root` is compiled to."""
    return builds.digest(root, _SOURCES, checked=CHECKED)


def sweep() -> None:
    """Remove what other versions have kept, but for the latest few."""
    builds.sweep(_PREFIX, build_name())
