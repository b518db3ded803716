"""All that a prediction gets to see: the inputs its claim declares, and the engines."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast

from virtperf import catalog
from virtperf.errors import UnknownNameError
from virtperf.units import TICKS_PER_NS, UNITS
from virtperf.validation.published import Fact

if TYPE_CHECKING:
    from virtperf.mechanism.memory.paging_counts import Transitions
    from virtperf.params import ParameterSet, Quantity
    from virtperf.path import Crossing
    from virtperf.result import Result
    from virtperf.scenario import Scenario
    from virtperf.tables import System

SEED, REPLICATIONS = 1, 4
NOTHING: Mapping[str, float] = MappingProxyType({})


class Observed(NamedTuple):
    """Requests per second with the half-width of its noise, and counts per request."""

    rate: float
    half_width: float
    counts: Mapping[str, float]


class Given:
    """The declared inputs of one claim.

    Parameters
    ----------
    inputs : sequence of str
        Ids the claim declares; asking for another one is an error.
    facts : mapping of str to Fact
        All inputs there are.
    """

    def __init__(self, inputs: tuple[str, ...], facts: Mapping[str, Fact]) -> None:
        self._inputs = frozenset(inputs)
        self._facts = facts

    def __getitem__(self, name: str) -> float:
        """Return an input in base units: ns, 1/s, or a plain number."""
        self._declared(name)
        if name not in self._facts:  # a platform's own number, cycles as cycles
            platform, _, key = name.rpartition(".")
            return catalog.platform(platform)[key].value
        fact = self._facts[name]
        if fact.value is None:
            raise UnknownNameError("value of input", name, ())
        return fact.value * UNITS[fact.unit][1]

    def count(self, name: str) -> int:
        """Return an input that is a whole number."""
        return int(self[name])

    def scenario(self, name: str) -> Scenario:
        """Return a shipped scenario."""
        from virtperf.scenario import Scenario

        self._declared(name)
        return Scenario.load(name)

    def tlbs(self, name: str) -> str:
        """Return the name of a shipped processor's TLBs, declared as ``tlbs.name``."""
        self._declared(f"tlbs.{name}")
        return name

    def image(self, name: str) -> ParameterSet:
        """Return a shipped process image, declared as ``images.name``."""
        self._declared(f"images.{name}")
        return catalog.image(name)

    def workload(self, name: str) -> ParameterSet:
        """Return a shipped workload."""
        self._declared(name)
        return catalog.workload(name)

    def system(self, scenario: Scenario, instead: Mapping[str, float] = NOTHING) -> System:
        """Return a scenario's system, having checked that its platform's numbers are declared.

        `instead` are calibrated times in ns that take the place of the platform's, by name.
        """
        from virtperf.build import build, sources

        own = catalog.platform(scenario.platform)
        for vm in scenario.vm:
            if vm.computes is not None:
                self._declared(vm.computes)
        for key in sources(scenario):
            if key in own and key not in instead:
                self._declared(f"{scenario.platform}.{key}")
        return build(scenario, own.replace(**{key: _fitted(instead[key]) for key in instead}))

    def operation(
        self, platform: str, cpu: str, memory: str, operation: str, *, cycles: bool = True
    ) -> float:
        """Return what one operation costs under two techniques, in cycles of the platform or ns."""
        from virtperf.technique.costs import Costs
        from virtperf.technique.cpu import cpu_technique
        from virtperf.technique.cpu.operations import OPERATIONS
        from virtperf.technique.cpu.workload import once
        from virtperf.technique.memory import memory_technique

        numbers = catalog.platform(platform)
        costs = Costs(numbers)
        steps = once(
            OPERATIONS[operation], cpu_technique(cpu, costs), memory_technique(memory, costs)
        )
        for key in costs.used:
            self._declared(f"{platform}.{key}")
        ns = sum(step.cost.mean for step in steps)
        return ns * numbers["frequency"].base / 1e9 if cycles else ns

    def crossings(self, platform: str, cpu: str, times: Transitions) -> float:
        """Return what transitions cost under a CPU technique, in ns; `times` is how often each."""
        from virtperf.path import Transition
        from virtperf.technique.costs import Costs
        from virtperf.technique.cpu import cpu_technique

        costs = Costs(catalog.platform(platform))
        technique, ns = cpu_technique(cpu, costs), 0.0
        for (name, reason), often in times.items():
            crossing = Transition(name=cast("Crossing", name), reason=reason)
            ns += often * sum(step.cost.mean for step in technique.expand(crossing, "vcpu"))
        for key in costs.used:
            self._declared(f"{platform}.{key}")
        return ns

    def code(self, platform: str, workload: str, cpu: str) -> dict[str, float]:
        """Return the time of a workload's own instructions under a technique, by account, in ns."""
        from virtperf.technique.costs import Costs
        from virtperf.technique.cpu import cpu_technique
        from virtperf.technique.cpu.workload import Workload

        self._declared(workload)
        mix = catalog.workload(workload)
        costs = Costs(catalog.platform(platform), mix)
        steps = cpu_technique(cpu, costs).code(Workload(costs).code(), "vcpu")
        for key in costs.used:
            if key not in mix:
                self._declared(f"{platform}.{key}")
        return {step.account: step.cost.mean for step in steps}

    def rates(
        self, scenario: Scenario, requests: int, instead: Mapping[str, float] = NOTHING
    ) -> Observed:
        """Return what the second half of a run saw of a closed load without chance.

        So one run is all there is; its ends may gain or lose a round of what is in flight.
        `instead` are calibrated numbers, see `system`.
        """
        from virtperf import fast

        system = self.system(scenario, instead)
        run = fast.run(system, seed=SEED, replication=0, requests=requests)
        half, end = run.snapshots[len(run.snapshots) // 2], run.snapshots[-1]
        done, ticks = sum(end.completed) - sum(half.completed), end.time - half.time
        moved = zip(system.counters, half.counters, end.counters, strict=True)
        rate = done / ticks * TICKS_PER_NS * 1e9
        round_ = sum(source.outstanding for source in system.sources)
        counts = {name: (after - before) / done for name, before, after in moved}
        return Observed(rate, rate * round_ / done, counts)

    def simulate(
        self,
        scenario: Scenario,
        requests: int,
        *,
        replications: int = REPLICATIONS,
        band: bool = False,
    ) -> Result:
        """Simulate a scenario, `requests` in each of a few replications, perhaps its band too.

        Where runs are found to be short beside the system's memory, four times as many are made.
        """
        from virtperf.experiment import simulate
        from virtperf.experiment.work import Serial

        self.system(scenario)

        def of(requests: int) -> Result:
            return simulate(
                scenario,
                seed=SEED,
                replications=replications,
                requests=requests,
                executor=Serial(),  # a run is over before a process pool has started
                band=band,
            )

        result = of(requests)
        return of(4 * requests) if result.without_intervals else result

    def throughput(
        self,
        scenario: Scenario,
        requests: int,
        instead: Mapping[str, str],
        times: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[float, float]:
        """Simulate a scenario whose platform has other numbers.

        Parameters
        ----------
        scenario : Scenario
        requests : int
            In each of a few replications, the first quarter of which is left out.
        instead : mapping of str to str
            Numbers of the platform, and the inputs, durations, that take their places.
        times : mapping of str to str
            Numbers of the platform, and the inputs that they are multiplied by.

        Returns
        -------
        tuple of float
            Requests per second, and the half-width of its noise.
        """
        from dataclasses import replace

        from virtperf import fast
        from virtperf.build import build
        from virtperf.stats import interval

        self.system(scenario)
        numbers = catalog.platform(scenario.platform)
        changes = {
            key: replace(numbers[key], value=self[name], unit="ns", low=None, high=None)
            for key, name in instead.items()
        }
        changes |= {key: numbers[key].scaled(self[name]) for key, name in times.items()}
        built = build(scenario, numbers.replace(**changes))
        found = []
        for replication in range(REPLICATIONS):
            run = fast.run(built, seed=SEED, replication=replication, requests=requests)
            ends = run.ends[len(run.ends) // 4 :]
            found.append((len(ends) - 1) * run.batch * 1e12 / (ends[-1] - ends[0]))
        return interval(found)

    def _declared(self, name: str) -> None:
        if name not in self._inputs:
            raise UnknownNameError("input of this claim", name, self._inputs)


def _fitted(ns: float) -> Quantity:
    """Return a number that a claim has calibrated."""
    from virtperf.params import Quantity

    source = "calibrated, by a claim, from its declared inputs"
    return Quantity(value=ns, unit="ns", source=source, evidence="derived", checked="own")
