"""A scenario on its platform becomes a system: each VM's techniques answer, and are laid out."""

from collections.abc import Iterator

from virtperf.build import on_cpu, on_disk, on_iommu, on_net
from virtperf.build.computing import memory_of
from virtperf.build.machine import Machine
from virtperf.build.site import Site
from virtperf.errors import ParameterError
from virtperf.params import ParameterSet, Quantity
from virtperf.scenario import Scenario, WorkLoad
from virtperf.tables import System

__all__ = ["build", "memory_of", "memory_use", "sources"]


def build(scenario: Scenario, platform: ParameterSet | None = None) -> System:
    """Resolve `scenario` to tables.

    Parameters
    ----------
    scenario : Scenario
    platform : ParameterSet, optional
        The platform's numbers; those of the platform the scenario names by default.

    Returns
    -------
    System

    Raises
    ------
    ParameterError, UnknownNameError
        If the platform lacks a number a technique needs, or a part makes no sense.
    """
    return _site(scenario, platform).assembly.system()


def sources(scenario: Scenario, platform: ParameterSet | None = None) -> dict[str, Quantity]:
    """Return every number of platform and devices that building `scenario` reads, by name."""
    return dict(_site(scenario, platform).costs.used)


def memory_use(scenario: Scenario) -> Iterator[tuple[str, str, float, str]]:
    """Yield (vm, quantity, value, unit) of the memory of each VM that works."""
    for name, use in _site(scenario, None).memory.items():
        yield from ((name, *row) for row in use.rows())


def _site(scenario: Scenario, platform: ParameterSet | None) -> Site:
    """Return the host with all its VMs on it."""
    numbers = scenario.parameters() if platform is None else platform
    site = Site(scenario, numbers)
    on_iommu.add_iommus(site)
    on_net.add_nics(site)
    for vm in scenario.vm:
        for copy in range(vm.count):
            name = f"{vm.name}[{copy}]"
            try:
                _add(Machine(site, vm, name))
            except ParameterError as error:
                raise _owned(error, vm.name) from None
    return site


def _add(machine: Machine) -> None:
    """Add what a VM does: its interface first, whose turns of the main loop are the shorter."""
    vm, own = machine.vm, machine.vm.on_disks
    served = [on_disk.Attached(machine, use) for use in own if use.served]
    if vm.nic is not None:
        on_net.add(machine, *served)
    for use in own:
        if not use.served:
            on_disk.add(machine, use)
    if isinstance(vm.load, WorkLoad) and machine.units is not None:
        on_cpu.add(machine, vm.load, machine.units)


def _owned(error: ParameterError, name: str) -> ParameterError:
    """Return an error with a VM as its owner where it is one of converting units."""
    if error.owner != "units":
        return error
    return ParameterError(name, "times", f"such that each lasts {error.must}", error.got)
