"""What a file of exit statistics says: reasons, how many, how long. Reads no file."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from virtperf.errors import ImportFileError, ParameterError

# Exits in which the guest waits: VMX and SVM, Arm, s390, POWER, and KVM's name in user space.
_IDLE = frozenset({"hlt", "idle-halt", "wfx", "wait state", "h_cede", "kvm_exit_hlt"})

COLUMNS = (
    "reason",
    "samples",
    "share_of_samples",
    "share_of_busy_time",
    "min_ns",
    "max_ns",
    "mean_ns",
    "exits_per_s_per_vcpu",
    "time_ns",
    "relative_error",
    "idle",
)
"""The keys of `ExitProfile.table`, for tables without a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitReason:
    """One reason why guests were left.

    Attributes
    ----------
    name : str
        The reason, as its tool spells it.
    samples : int
        Exits, at least 1.
    time_ns, min_ns, max_ns, mean_ns : float or None
        Handling time of all exits, and of one, from the exit to the next entry: it includes what
        the host does meanwhile. None where the file does not tell.
    relative_error : float or None
        Standard error of the mean, over the mean (0.01 is 1%).
    idle : bool
        Whether the guest waited for something to do: such time is no cost.
    """

    name: str
    samples: int
    time_ns: float | None
    min_ns: float | None
    max_ns: float | None
    mean_ns: float | None
    relative_error: float | None
    idle: bool

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ParameterError("ExitReason", "samples", "at least 1", self.samples)


class Share(NamedTuple):
    """Shares of one reason: of all exits, and of the time that is not idle.

    ``time`` is None for an idle reason, and where the file tells no times.
    """

    samples: float
    time: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitProfile:
    """The exits one file counted.

    Attributes
    ----------
    source, format : str
        Name of the file, and ``"perf kvm stat"``, ``"perf script"`` or ``"kvm_service_time"``.
    reasons : tuple of ExitReason
        In the order of the file; their names differ.
    samples : int
        Exits of all reasons.
    time_ns : float or None
        Handling time of all reasons, idle ones included; a table's own sum where it agrees.
    duration_s : float or None
        Wall time of the recording, in seconds.
    vcpus : int or None
        Virtual CPUs that were recorded.
    warnings : tuple of str
        What the file does not tell, or what contradicts itself.

    Raises
    ------
    ParameterError
        If `duration_s` is not a positive time, or `vcpus` is below 1.
    """

    source: str
    format: str
    reasons: tuple[ExitReason, ...]
    samples: int
    time_ns: float | None
    duration_s: float | None = None
    vcpus: int | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_window(self.duration_s, self.vcpus)

    @property
    def lacks(self) -> dict[str, str]:
        """What must be given before there are rates: fields, and what no file carries."""
        facts = {"duration_s": "wall time", "vcpus": "number of vCPUs"}
        return {field: fact for field, fact in facts.items() if getattr(self, field) is None}

    def shares(self) -> dict[str, Share]:
        """Return each reason's share of the exits and of the handling time that is not idle."""
        exits = sum(reason.samples for reason in self.reasons)
        busy = sum(reason.time_ns or 0.0 for reason in self.reasons if not reason.idle)
        shares = {}
        for reason in self.reasons:
            time = None
            if not reason.idle and reason.time_ns is not None:
                time = reason.time_ns / busy if busy else 0.0
            shares[reason.name] = Share(reason.samples / exits, time)
        return shares

    def costs(self) -> dict[str, float]:
        """Return the mean handling time of an exit by reason, in ns, without idle reasons.

        Raises
        ------
        ParameterError
            If the file tells no handling times.
        """
        costs = {}
        for reason in self.reasons:
            if reason.mean_ns is None:
                must = f"known for costs: {self.source} tells no handling time of {reason.name}"
                raise ParameterError("ExitProfile", "time_ns", must, None)
            if not reason.idle:
                costs[reason.name] = reason.mean_ns
        return costs

    def rates(self) -> dict[str, float]:
        """Return exits per second and vCPU by reason, idle ones included.

        Raises
        ------
        ParameterError
            If the duration or the number of vCPUs is unknown: no table carries them.
        """
        duration_s, vcpus = self._window()
        return {reason.name: reason.samples / duration_s / vcpus for reason in self.reasons}

    def overhead(self) -> float:
        """Return the share of the vCPUs' time that went into exits other than idle ones.

        Raises
        ------
        ParameterError
            If duration, number of vCPUs or handling times are unknown, or no exit was recorded:
            a guest without exits does not exist, a host that does not record them does.
        """
        duration_s, vcpus = self._window()
        if not self.reasons:
            must = f"some for an overhead: {self.source} holds no exits"
            raise ParameterError("ExitProfile", "reasons", must, ())
        costs = self.costs()
        busy = sum(costs.get(reason.name, 0.0) * reason.samples for reason in self.reasons)
        return busy / 1e9 / duration_s / vcpus

    def table(self) -> list[dict[str, Any]]:
        """Return one row per reason; units are in the keys, None stands for unknown."""
        shares = self.shares()
        rates = {} if self.lacks else self.rates()
        rows = (
            (
                reason.name,
                reason.samples,
                *shares[reason.name],
                reason.min_ns,
                reason.max_ns,
                reason.mean_ns,
                rates.get(reason.name),
                reason.time_ns,
                reason.relative_error,
                reason.idle,
            )
            for reason in self.reasons
        )
        return [dict(zip(COLUMNS, row, strict=True)) for row in rows]

    def _window(self) -> tuple[float, int]:
        if self.duration_s is None or self.vcpus is None:
            carries = f"{self.source} carries no {' and no '.join(self.lacks.values())}"
            must = f"given for rates: {carries}"
            raise ParameterError("ExitProfile", " and ".join(self.lacks), must, None)
        return self.duration_s, self.vcpus


def check_window(duration_s: float | None, vcpus: int | None) -> None:
    """Refuse a duration that is no positive time, in s, and a number of vCPUs below 1."""
    if duration_s is not None and not 0 < duration_s < math.inf:
        raise ParameterError("ExitProfile", "duration_s", "a positive time in s", duration_s)
    if vcpus is not None and vcpus < 1:
        raise ParameterError("ExitProfile", "vcpus", "at least 1", vcpus)


def is_idle(name: str) -> bool:
    """Return whether a guest that exits for this reason waits for something to do."""
    return name.casefold() in _IDLE


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names with a second ``A`` as ``A#2``: reasons must stay apart."""
    kept: list[str] = []
    for name in names:
        new, count = name, 2
        while new in kept:
            new, count = f"{name}#{count}", count + 1
        kept.append(new)
    return kept


def refuse(path: object, bad: Iterable[str]) -> None:
    """Raise one ImportFileError that lists all bad lines, if there are any."""
    lines = list(bad)
    if lines:
        head = f"{len(lines)} bad line{'s' if len(lines) > 1 else ''}"
        raise ImportFileError(path, "\n  - ".join((head, *lines)))
