"""What a unit of a workload costs, added up without an engine, and what comes before the first."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from virtperf.params import ParameterSet
from virtperf.path import Choice, Step
from virtperf.technique.costs import Costs
from virtperf.technique.cpu import cpu_technique
from virtperf.technique.cpu.translation import footprint
from virtperf.technique.cpu.workload import Workload, unit
from virtperf.technique.memory import default_memory, memory_technique


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One unit of a workload under one technique.

    Attributes
    ----------
    accounts : mapping of str to float
        Time by ledger account, in ns.
    counts : mapping of str to float
        Exits, hypercalls, callouts, violations, by name.
    start : float
        Time before the first unit, in ns: code that is translated, all of the image or all that is
        executed.
    memory : float
        Bytes that translated code takes.
    """

    accounts: Mapping[str, float]
    counts: Mapping[str, float]
    start: float = 0.0
    memory: float = 0.0

    @property
    def ns(self) -> float:
        """Time of a unit, in ns."""
        return sum(self.accounts.values())


def price(
    platform: ParameterSet, workload: ParameterSet, cpu: str, memory: str | None = None
) -> Price:
    """Return what a unit of a workload costs.

    Parameters
    ----------
    platform, workload : ParameterSet
    cpu : str
        CPU technique.
    memory : str, optional
        Memory technique; by default as goes with the CPU technique.

    Raises
    ------
    UnknownNameError
        If there is no such technique, or the platform lacks a number.
    """
    costs = Costs(platform, workload)
    work = Workload(costs)
    answers = memory_technique(memory or default_memory(cpu, costs), costs)
    accounts: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, float] = defaultdict(float)
    for part in unit(work, cpu_technique(cpu, costs), answers):
        ways = part.branches if isinstance(part, Choice) else ((1.0, (part,)),)
        for share, way in ways:
            for step in way:
                if isinstance(step, Step) and step.kind == "work":
                    accounts[step.account] += share * step.cost.mean
                    if step.counts:
                        counts[step.counts] += share * step.times
    start, used = _before(work, costs, cpu)
    return Price(accounts=accounts, counts=counts, start=start, memory=used)


def _before(work: Workload, costs: Costs, cpu: str) -> tuple[float, float]:
    """Return the time to translate what is translated once, and the memory it takes."""
    code = work.code()
    if cpu == "dbt":
        size = footprint(code, costs)
        start = code.footprint * costs.ns("translate_instruction")
        return start, min(size.needed, size.room)
    if cpu == "static":
        grown = costs.share("instruction_bytes") * costs.share("code_expansion")
        return code.image * costs.ns("translate_instruction"), code.image * grown
    if cpu == "binary-translation":  # of the kernel alone, most of it as it was
        kernel = code.footprint * code.kernel / code.instructions if code.instructions else 0.0
        grown = costs.share("monitor_expansion") * costs.share("instruction_bytes")
        return kernel * costs.ns("monitor_translate"), kernel * grown
    return 0.0, 0.0
