"""CPU techniques in numbers, for figures and tables: slowdown with its band, causes, reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError, UnknownNameError
from virtperf.technique import matrix
from virtperf.technique.cpu.price import Price, price

if TYPE_CHECKING:
    from virtperf.params import ParameterSet

BARE = "direct"
SHADOWED = "hardware+shadow"
ENDS = ("low", "high")

# Virtualization is warm, the guest's own work green and blue, as in `figures.CAUSES`.
CAUSES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "guest user": ("#56B4E9", ("guest user",)),
        "guest kernel": ("#009E73", ("guest kernel", "process switch")),
        "exits, traps": (
            "#D55E00",
            ("exit ", "trap ", "event injection", "reflected "),
        ),
        "hypercalls": ("#CC79A7", ("hypercall", "shared mask")),
        "monitor, shadow and host paging": (
            "#E69F00",
            ("monitor", "callout", "in-cache sequence", "shadow paging", "host paging"),
        ),
        "look-ups, translation": (
            "#F0E442",
            ("look-up of translated code", "dispatch of blocks", "translation"),
        ),
        "translated, interpreted code": (
            "#0072B2",
            ("translated code", "interpreter", "emulator helper"),
        ),
        "software TLB": ("#7F7F7F", ("softmmu",)),
    }
)
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "exits": "",
        "hypercalls": "hypercall",
        "batched": "in a batch",
        "bounced": "bounced",
        "reflected": "reflected",
        "callouts": "callout",
        "helpers": "helper",
        "violations": "VIOLATION",
        "host_faults": "host fault",
    }
)
"""What is counted, by the first word of its name, and what is written beside the reason."""
LEAVES = ("exits", "hypercalls", "bounced", "reflected")
"""What of these goes to the hypervisor: callouts and helpers stay with the translator."""
NO_STOPS = ("violations", "batched", "host_faults")
"""What of these stops nothing by itself: an update in a batch is no call of its own, and a fault of
the host is within an exit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """Time under a technique over time on the bare machine.

    Attributes
    ----------
    value : float
        With all numbers as they are.
    low, high : float
        The least and the most of three: `value`, and with all numbers of platform and workload at
        the low, and all at the high end of their ranges. Both times move, so the band of a ratio is
        narrower than that of a time.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often the guest stops for one reason, per second that it runs."""

    reason: str
    kind: str
    per_s: float

    @property
    def label(self) -> str:
        """The reason, and what it is where it is no exit."""
        says = KINDS.get(self.kind, self.kind)
        reason = self.reason.replace("_", "-")
        return f"{reason} ({says})" if says else reason


def way(name: str) -> tuple[str, str | None]:
    """Return CPU and memory technique of a name such as ``"hardware+shadow"``.

    Raises
    ------
    UnknownNameError
        If there is no such technique.
    """
    cpu, _, memory = name.partition("+")
    matrix.title("cpu", cpu)
    if memory:
        matrix.title("memory", memory)
    return cpu, memory or None


def has_nested_paging(platform: ParameterSet) -> bool:
    """Return whether hardware walks guest and host tables; VT-x is older than that."""
    return "nested_paging" not in platform or bool(platform["nested_paging"].value)


def ways(platform: ParameterSet) -> tuple[str, ...]:
    """Return the CPU techniques, and hardware with shadow paging, that a machine can have."""
    names = list(matrix.cpu_techniques())
    names.insert(names.index("hardware"), SHADOWED)
    if not has_nested_paging(platform):
        names = [name for name in names if not _is_nested(*way(name))]
    return tuple(names)


def _is_nested(cpu: str, memory: str | None) -> bool:
    return (memory or matrix.default_memory(cpu)) == "nested"


def priced(
    platform: ParameterSet, workload: ParameterSet, techniques: Iterable[str] | None = None
) -> tuple[dict[str, Price], dict[str, str]]:
    """Return prices by technique, and for those that the platform lacks a number for, why.

    Parameters
    ----------
    platform, workload : ParameterSet
    techniques : iterable of str, optional
        As `way` reads them; `ways` of the platform by default.

    Raises
    ------
    UnknownNameError
        If there is no such technique, or the platform cannot even price the bare machine.
    """
    bare = price(platform, workload, BARE)
    found, lacks = {}, {}
    for name in techniques if techniques is not None else ways(platform):
        cpu, memory = way(name)
        try:
            found[name] = bare if name == BARE else price(platform, workload, cpu, memory)
        except UnknownNameError as error:
            lacks[name] = str(error).partition(";")[0]
    return found, lacks


def slowdowns(
    platform: ParameterSet, workload: ParameterSet, techniques: Iterable[str] | None = None
) -> dict[str, Slowdown]:
    """Return the slowdown by technique, without those the platform has no numbers for."""
    from virtperf.experiment.plan import at_end

    central = _ratios(platform, workload, techniques)
    ends = [_ratios(at_end(platform, end), at_end(workload, end), central) for end in ENDS]
    return {
        name: Slowdown(
            value=ratio,
            low=min(ratio, *(one[name] for one in ends)),
            high=max(ratio, *(one[name] for one in ends)),
        )
        for name, ratio in central.items()
    }


def _ratios(
    platform: ParameterSet, workload: ParameterSet, techniques: Iterable[str] | None
) -> dict[str, float]:
    bare = price(platform, workload, BARE).ns
    found, _ = priced(platform, workload, techniques)
    return {name: one.ns / bare for name, one in found.items()}


def by_cause(one: Price) -> dict[str, float]:
    """Return the time of a unit by cause, in ns, in the order of `CAUSES`.

    Raises
    ------
    ParameterError
        If an account belongs to no cause: it would be missing from the bar.
    """
    sums = dict.fromkeys(CAUSES, 0.0)
    for account, ns in one.accounts.items():
        sums[_cause(account)] += ns
    return {name: ns for name, ns in sums.items() if ns}


def _cause(account: str) -> str:
    word = account.partition(": ")[2]
    for name, (_, prefixes) in CAUSES.items():
        if word.startswith(prefixes):
            return name
    raise ParameterError("price", "accounts", "of a known cause", account)


def by_reason(one: Price) -> list[Rate]:
    """Return why the guest stops, most often first, per second of the guest under the technique."""
    rates = []
    for name, number in one.counts.items():
        kind, _, reason = name.partition(".")
        rates.append(Rate(reason=reason, kind=kind, per_s=number / one.ns * 1e9))
    return sorted(rates, key=lambda rate: (-rate.per_s, rate.reason))


def exits_per_s(one: Price) -> float:
    """Return how often the guest leaves to its hypervisor, by any of `LEAVES`, per second."""
    return sum(rate.per_s for rate in by_reason(one) if rate.kind in LEAVES)
