"""VMs that work and do nothing else: their jobs do unit after unit of a workload."""

from virtperf.build import computing
from virtperf.build.site import Site
from virtperf.scenario import Vm, WorkLoad


def add(site: Site, vm: Vm, load: WorkLoad, name: str) -> None:
    """Add a VM and its jobs, which are dealt to the vCPUs in turn."""
    units = computing.add(site, vm, name)
    for number in range(load.jobs):
        job = f"{name}.job{number}"
        site.assembly.task(job, units.vcpus[number % vm.vcpus])
        site.assembly.source(
            job,
            {"unit": (1.0, units.unit)},
            to=job,
            outstanding=1,
            think=load.think,
            names=units.names(job, number),
            group=site.group(vm),
            expand=units.cpu.expand,
        )
