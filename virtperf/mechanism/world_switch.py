"""Which registers a hypervisor saves and restores when it changes worlds, class by class.

A hypervisor that runs in the same mode as its host's kernel must give that mode's registers to
whoever runs: a hosted one on Arm without VHE has the host in EL1, where the guest's kernel was, so
every hypercall changes all EL1 state there and back again, and traps twice. With VHE the host runs
in EL2 and keeps its own registers; a stand-alone hypervisor (Xen) lives there too. (Dall et al.,
ISCA 2016.)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from virtperf.errors import ParameterError

EVERY = ("gp", "fp", "el1_sys", "vgic", "timer", "el2_config", "el2_vm")
SWITCHED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"hosted": EVERY, "vhe": ("gp",), "standalone": ("gp",)}
)
"""Register classes that a hypercall switches, by kind of hypervisor."""
TRAPS: Mapping[str, int] = MappingProxyType({"hosted": 2, "vhe": 1, "standalone": 1})
"""Traps to EL2 and back of one hypercall: a hosted one needs a second to come back to the guest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """One class of registers in one switch."""

    switch: str
    registers: str
    cost: float


def hypercall(
    kind: str, save: Mapping[str, float], restore: Mapping[str, float], trap: float
) -> tuple[Booked, ...]:
    """Return what a hypercall without any work costs, each class once per switch that is made.

    Parameters
    ----------
    kind : {'hosted', 'vhe', 'standalone'}
    save, restore : mapping of str to float
        Cost of each class, in one unit.
    trap : float
        A bare trap to EL2 and back, in that unit.

    Raises
    ------
    ParameterError
        If the kind is unknown, or a class has no cost.
    """
    if kind not in SWITCHED:
        raise ParameterError("world switch", "kind", f"one of {', '.join(SWITCHED)}", kind)
    missing = [one for one in SWITCHED[kind] if one not in save or one not in restore]
    if missing:
        raise ParameterError("world switch", "registers", f"given for {missing[0]}", sorted(save))
    booked = [Booked(switch="guest to host", registers=r, cost=save[r]) for r in SWITCHED[kind]]
    booked += [Booked(switch="host to guest", registers=r, cost=restore[r]) for r in SWITCHED[kind]]
    booked += [Booked(switch="trap", registers="none", cost=trap)] * TRAPS[kind]
    return tuple(booked)
