"""Who reaches what, and what a path allows, for each VM of a scenario."""

from dataclasses import dataclass

from virtperf.build import on_iommu
from virtperf.build.site import Site
from virtperf.mechanism.iommu.traffic import Exposure
from virtperf.params import ParameterSet
from virtperf.scenario import OnDisk, Scenario
from virtperf.technique import matrix
from virtperf.technique.io.features import FEATURES, feature
from virtperf.technique.io.protection import Protection, protection

PAGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """The protection of one VM and its path.

    Attributes
    ----------
    vm : str
    reach : Protection
    exposure : Exposure, optional
        Of what is unmapped and not yet flushed, at the most that the VM can do.
    foreign_pages : int, optional
        Pages of others, and its own, that the device can reach without right, if the scenario
        says how much memory the machine has.
    """

    vm: str
    reach: Protection
    exposure: Exposure | None = None
    foreign_pages: int | None = None


def protected(scenario: Scenario, platform: ParameterSet | None = None) -> list[Protected]:
    """Return the protection of every disk of every VM.

    Parameters
    ----------
    scenario : Scenario
    platform : ParameterSet, optional
        By default the one it names.
    """
    site = Site(scenario, scenario.parameters() if platform is None else platform)
    return [_of(site, use) for vm in scenario.vm for use in vm.on_disks]


def _of(site: Site, use: OnDisk) -> Protected:
    vm, disk = use.vm, use.disk
    mode = on_iommu.mode_of(disk) if matrix.iommu_modes(disk.technique) else None
    found, memory = protection(disk.technique, vm.guest, mode), site.scenario.host.memory
    pages = None
    if memory is not None:
        pages = 0 if found.protected else memory // PAGE
    name = vm.name if len(vm.on_disks) == 1 else f"{vm.name}.{use.at}"
    return Protected(
        vm=name, reach=found, exposure=on_iommu.exposed(site, use), foreign_pages=pages
    )


def says(one: Protected) -> list[str]:
    """Return what a reader of a result must know of a path that gives a guest a device."""
    reach, name = one.reach, f"vm {one.vm}"
    given = reach.technique in matrix.GIVEN
    lines = []
    if given and not reach.protected:
        pages = "all memory" if one.foreign_pages is None else f"all {one.foreign_pages:,} pages"
        lines.append(
            f"{name}, unprotected: without an IOMMU its device reaches {pages} of the machine, "
            "the host's and every other guest's"
        )
    elif given:
        own = "all memory" if reach.own == "all" else f"{reach.own} in the memory"
        lines.append(
            f"{name}, protected by the IOMMU: its device reaches {own} of its guest, and no other"
        )
    if one.exposure is not None:
        open_ = one.exposure
        lines.append(
            f"{name}, stale: up to {open_.most} pages are reached after they were unmapped, for "
            f"{open_.mean_ns / 1e6:.3g} ms on average and {open_.longest_ns / 1e6:.3g} ms at most"
        )
    if given:
        for name_, words in FEATURES.items():
            found = feature(reach.technique, name_)
            can = reach.overcommit if name_ == "overcommit" else found.can
            if can == "no":
                lines.append(f"{name}, not possible: {words}; {found.why}")
    return lines
