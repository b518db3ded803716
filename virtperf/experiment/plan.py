"""What an experiment will run: its points as built systems, their corners and their lengths."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from virtperf import catalog
from virtperf.design import Design, axis, grid, label
from virtperf.errors import ParameterError, ScenarioError, UnknownNameError
from virtperf.params import ParameterSet
from virtperf.tables import System

if TYPE_CHECKING:
    from virtperf.scenario import Scenario, Vm
    from virtperf.theory import Bounds

Over: TypeAlias = str | Sequence[str] | Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How quick an engine is, and how long its runs shall be.

    Attributes
    ----------
    event_us : float
        Wall time of one timed event on a slow core: about twice what a recent desktop core needs,
        so that a plan made with it ends early rather than late.
    least, most : int
        Requests per run.
    budget_s, single_s : float
        Wall time for a call, and for one that makes a single run of each point.
    """

    event_us: float
    least: int
    most: int
    budget_s: float
    single_s: float


_DISK = (".disk", ".disk.technique", ".disks", ".disks.technique")
_VM = re.compile(r"vm(\[\d+\])?")
_NIC = (".nic", ".nic.technique")
PACE = {
    "sim": Pace(event_us=14.0, least=400, most=20_000, budget_s=25.0, single_s=8.0),
    "fast": Pace(event_us=0.3, least=4_000, most=400_000, budget_s=15.0, single_s=5.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a design, ready to run."""

    label: str
    levels: Mapping[str, Any]
    scenario: "Scenario"
    system: System
    corners: Mapping[str, System]
    events: float
    theory: "Bounds"
    full_corners: Mapping[str, str]  # ends of ranges at which an open load saturates what
    notes: tuple[str, ...] = ()


def design(over: Over, scenario: "Scenario") -> Design:
    """Return the points that `over` asks for; an address alone takes all its levels."""
    if isinstance(over, Mapping):
        return grid(over)
    axes = dict(axis(text) for text in ([over] if isinstance(over, str) else over))
    levels = {address: found or all_levels(address, scenario) for address, found in axes.items()}
    out = _refused(axes, levels, scenario)
    return grid({a: [one for one in found if (a, one) not in out] for a, found in levels.items()})


def left_out(over: Over, scenario: "Scenario") -> list[str]:
    """Say which techniques an address without levels leaves out, and why."""
    if isinstance(over, Mapping):
        return []
    axes = dict(axis(text) for text in ([over] if isinstance(over, str) else over))
    levels = {address: found or all_levels(address, scenario) for address, found in axes.items()}
    refused = _refused(axes, levels, scenario)
    return [f"left out: {address}={name}, for {why}" for (address, name), why in refused.items()]


def _refused(
    asked: Mapping[str, Sequence[Any]], levels: Mapping[str, Sequence[Any]], scenario: "Scenario"
) -> dict[tuple[str, str], str]:
    """Return the levels that nobody named and that not every point can have.

    These are given devices; and whatever does not go with another device of the same VM.
    """
    from virtperf.technique import matrix

    found: dict[tuple[str, str], str] = {}
    several = any(len(vm.on_disks) + (vm.nic is not None) > 1 for vm in scenario.vm)
    for address in (a for a in asked if a.endswith(_DISK + _NIC) and not asked[a]):
        others = grid({a: tried for a, tried in levels.items() if a != address})
        for name in (name for name in levels[address] if several or name in matrix.GIVEN):
            for other in others:
                try:
                    scenario.with_all({**other, address: name})
                except ScenarioError as error:
                    found.setdefault((address, name), error.problems[0])
    return found


def main_axis(scenario: "Scenario") -> str:
    """Return the address whose techniques a scenario is about.

    Its interface, its disk or disks; whole profiles where a VM has several devices; the CPU
    technique where it has none. A VM is named where not all have such a device.
    """
    vms = list(enumerate(scenario.vm))
    several = [i for i, vm in vms if len(vm.on_disks) + (vm.nic is not None) > 1]
    if several:
        return "vm" if len(several) == len(vms) else f"vm[{several[0]}]"
    for field in ("nic", "disk", "disks"):
        own = [i for i, vm in vms if getattr(vm, field) is not None]
        if own:
            return f"vm.{field}" if len(own) == len(vms) else f"vm[{own[0]}].{field}"
    return "vm.cpu"


def all_levels(address: str, scenario: "Scenario") -> Sequence[str]:
    """Return the levels of an address that has a list of them; platforms that have the numbers."""
    from virtperf.technique import matrix, profiles

    if address.endswith(_DISK):
        return matrix.disk_techniques()
    if _VM.fullmatch(address):
        known = profiles.names()
        return [name for name in known if _possible(scenario, address, name)] or known
    if address.endswith(_NIC):
        return matrix.nic_techniques()
    for kind, names in (("cpu", matrix.cpu_techniques()), ("memory", matrix.memory_techniques())):
        if address.endswith((f".{kind}", f".{kind}.technique")):
            return [name for name in names if _possible(scenario, address, name)] or names
    if address.endswith(".iommu") and address.startswith("vm"):
        modes = dict.fromkeys(
            mode
            for vm in scenario.vm
            for use in vm.on_disks
            for mode in matrix.iommu_modes(use.disk.technique)
        )
        return [mode for mode in modes if _possible(scenario, address, mode)] or list(modes)
    if address.endswith(".workload"):
        return catalog.names("workloads")
    if address == "host.policy":
        return catalog.policies()
    if address == "platform":
        return [name for name in catalog.names("platforms") if _carries(name, scenario)]
    must = f"given levels, for example {address}=1,2,4"
    raise ParameterError("compare", "over", must, address)


def _possible(scenario: "Scenario", address: str, technique: str) -> bool:
    """Return whether a technique goes with the rest of a scenario, and with its platform."""
    from virtperf.build import sources

    try:
        return bool(sources(scenario.with_(address, technique)))
    except (ParameterError, ScenarioError, UnknownNameError):
        return False


def _carries(platform: str, scenario: "Scenario") -> bool:
    """Return whether a platform has every number that a scenario needs."""
    from virtperf.build import sources

    try:
        return bool(sources(scenario.with_("platform", platform)))
    except UnknownNameError:
        return False


def make(scenario: "Scenario", levels: Mapping[str, Any], *, band: bool) -> Point:
    """Build one point of a design."""
    from virtperf.build import build
    from virtperf.theory import bounds, events_per_request

    changed = scenario.with_all(levels) if levels else scenario
    system = build(changed)
    corners = _corners(changed) if band else []
    full = {name: bounds(at_corner).resource for name, at_corner in corners}
    return Point(
        label=label(dict(levels)) or scenario.name,
        levels=levels,
        scenario=changed,
        system=system,
        corners={name: at_corner for name, at_corner in corners if not full[name]},
        events=events_per_request(system),
        theory=bounds(system),
        full_corners={name: resource for name, resource in full.items() if resource},
        notes=(
            *(f"left out: {what}, unknown to the chosen technique" for what in changed.dropped),
            *_cpu_notes(scenario, changed),
            *_translated(changed),
            *_protection(changed),
            *_gaps(changed),
        ),
    )


def _corners(scenario: "Scenario") -> list[tuple[str, System]]:
    """Build the system with all platform numbers at an end of their range, and channels at one."""
    from virtperf.build import build

    platform = scenario.parameters()
    corners = [
        (f"platform {end}", build(scenario, at_end(platform, end)))
        for end in ("low", "high")
        if any(getattr(quantity, end) is not None for quantity in platform.values())
    ]
    return corners + [(name, build(s)) for name, s in scenario.channel_band().items()]


def at_end(platform: ParameterSet, end: str) -> ParameterSet:
    """Return the platform with every cost at the ``"low"`` or ``"high"`` end of its range.

    The clock goes the other way: cycles cost least where the frequency is highest.
    """
    ends = {key: end if key != "frequency" else _OTHER[end] for key in platform}
    moved = {
        key: replace(quantity, value=value)
        for key, quantity in platform.items()
        if (value := getattr(quantity, ends[key])) is not None
    }
    return platform.replace(**moved)


_OTHER = {"low": "high", "high": "low"}


def _cpu_notes(before: "Scenario", after: "Scenario") -> list[str]:
    """Say where a disk or network technique took its own CPU technique along, and why."""
    from virtperf.technique import matrix

    notes = []
    for old, new in zip(before.vm, after.vm, strict=True):
        was, now = old.cpu.technique, new.cpu.technique
        if old.guest != new.guest:
            notes.append(f"vm.cpu={now} runs with guest={new.guest}: {matrix.requires(now)}")
        if now == "trap-emulate":
            notes.append(_holes(new, after.parameters()))
        used = dict.fromkeys(("disk", use.disk.technique) for use in new.on_disks)
        if new.nic is not None:
            used["nic", new.nic.technique] = None
        for kind, name in used:
            reason = matrix.why_forbidden(was, new.guest, **{kind: name})
            if was != now and reason is not None:
                notes.append(f"vm.{kind}={name} runs with cpu={now}: {reason}")
    return list(dict.fromkeys(notes))


def _holes(vm: "Vm", platform: ParameterSet) -> str:
    """Say what trap and emulate does not see."""
    from virtperf.mechanism.isa import isa, virtualizable

    wide = "guest_bits" in platform and platform["guest_bits"].value > 32
    verdict = virtualizable(isa(vm.cpu.isa or ("x86-64" if wide else "x86-32")))
    return f"vm.cpu=trap-emulate: {verdict}; the guest runs, and violations are counted"


def _translated(scenario: "Scenario") -> list[str]:
    """Say what translated code takes, and what is done before a steady state begins."""
    from virtperf.result.words import digits
    from virtperf.scenario import WorkLoad
    from virtperf.technique.cpu.price import price

    says = []
    for vm in scenario.vm:
        translates = vm.cpu.technique in ("dbt", "static", "binary-translation")
        if translates and isinstance(vm.load, WorkLoad) and vm.workload is not None:
            workload = vm.workload
            one = price(scenario.parameters(), workload, vm.cpu.technique)
            says.append(
                f"vm.cpu={vm.cpu.technique}: {workload.name} translated takes "
                f"{digits(one.memory / 2**20)} MiB, and {digits(one.start / 1e6)} ms before its "
                "first unit, which the steady state leaves out"
            )
    return says


def _protection(scenario: "Scenario") -> list[str]:
    """Say who is protected from devices that guests have, and what those guests cannot do."""
    from virtperf.build.protection import protected, says

    return [line for one in protected(scenario) for line in says(one)]


def _gaps(scenario: "Scenario") -> list[str]:
    """Say what the techniques in use leave out."""
    from virtperf.build import memory_of
    from virtperf.technique import matrix
    from virtperf.technique.costs import Costs

    vms = scenario.vm
    used = dict.fromkeys(("disk", use.disk.technique) for vm in vms for use in vm.on_disks)
    used |= dict.fromkeys(("nic", vm.nic.technique) for vm in vms if vm.nic is not None)
    used |= dict.fromkeys(("cpu", vm.cpu.technique) for vm in vms if vm.on_disks)
    for vm in vms:
        if not vm.on_disks and vm.nic is None:
            used["memory", memory_of(vm, Costs(scenario.parameters()))] = None
    said = {name: matrix.not_modelled(kind, name) for kind, name in used}
    return [f"{name}, not modelled: {says}" for name, says in said.items() if says]


def planned_requests(
    events: Sequence[float], units: Sequence[int], *, cores: int, seconds: float, pace: Pace
) -> int:
    """Choose the length of every run so that all of them end in time.

    Parameters
    ----------
    events : sequence of float
        Timed events per request of each point, from theory.
    units : sequence of int
        Runs of each point.
    cores : int
        Runs that go on at a time.
    seconds : float
        Wall time for all.
    pace : Pace
        Of the engine.

    Returns
    -------
    int
        Requests per run, the same for all points (so that they meet the same draws).
    """
    total = sum(cost * count for cost, count in zip(events, units, strict=True))
    rounds = sum(units) / cores
    idle = -(-sum(units) // cores) / rounds  # the last round may leave cores idle
    per_request_us = max(total * pace.event_us * idle / cores, 1e-3)
    return round(min(pace.most, max(pace.least, seconds * 1e6 / per_request_us)))
