"""Jobs that work and do nothing else: unit after unit of a workload."""

from virtperf.build.computing import Computing
from virtperf.build.machine import Machine
from virtperf.scenario import WorkLoad


def add(machine: Machine, load: WorkLoad, units: Computing) -> None:
    """Add the jobs of a VM that works."""
    site, vm = machine.site, machine.vm
    for _ in range(load.jobs):
        job, number = machine.next_job()
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
