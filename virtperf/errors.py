"""Every error virtperf raises on purpose. Imports nothing heavier than difflib.

Each error is also the built-in it resembles, so ``except ValueError`` works. Its ``args`` are the
arguments it was built from, so it crosses a process pool unharmed.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class VirtperfError(Exception):
    """Base class; never raised itself."""


class ParameterError(VirtperfError, ValueError):
    """A parameter has an impossible value; ``owner.field`` names it.

    Examples
    --------
    >>> str(ParameterError("Tlb", "entries", "at least 1", 0))
    'Tlb.entries must be at least 1, got 0'
    """

    def __init__(self, owner: str, field: str, must: str, got: object) -> None:
        super().__init__(owner, field, must, got)
        self.owner, self.field, self.must, self.got = owner, field, must, got

    def __str__(self) -> str:
        return f"{self.owner}.{self.field} must be {self.must}, got {self.got!r}"


class UnknownNameError(VirtperfError, KeyError):
    """A name is not in its registry; close matches, else all names, are offered."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = tuple(sorted(known))
        super().__init__(kind, name, names)
        self.kind, self.name, self.known = kind, name, names

    def __str__(self) -> str:  # KeyError would print the repr of the message
        says = f"no {self.kind} named {self.name!r}"
        hint = get_close_matches(self.name, self.known, n=3) or self.known
        return f"{says}; did you mean {', '.join(hint)}?" if hint else f"{says}; there are none"


class ScenarioError(VirtperfError, ValueError):
    """A described file is wrong; all its problems at once, one per line."""

    def __init__(self, path_or_name: str, problems: Sequence[str]) -> None:
        super().__init__(path_or_name, tuple(problems))
        self.name, self.problems = path_or_name, tuple(problems)

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{self.name}: {count} problem{'s' if count != 1 else ''}"
        return "\n  - ".join((head, *self.problems))


class ImportFileError(VirtperfError, ValueError):
    """A file of another tool cannot be understood."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class LedgerError(VirtperfError, RuntimeError):
    """The account of a run does not balance."""


class SimulationError(VirtperfError, RuntimeError):
    """An engine met a state that no correct model reaches."""


class DeadlockError(SimulationError):
    """Some wait for each other for ever; the message tells who waits for whom."""


class OutputError(VirtperfError, OSError):
    """A file cannot be written."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class StoreError(VirtperfError, OSError):
    """Something that was stored cannot be read, or is in use."""

    def __init__(self, path: object, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


class DamageError(StoreError):
    """Something that was stored is damaged or missing."""


class MissingLibraryError(VirtperfError, ImportError):
    """Something needs a library that virtperf does not ask for, and that is not installed."""

    def __init__(self, what: str, library: str) -> None:
        super().__init__(what, library)
        self.what, self.library = what, library

    def __str__(self) -> str:
        return (
            f"{self.what} needs {self.library}, which is not installed: pip install {self.library}"
        )
