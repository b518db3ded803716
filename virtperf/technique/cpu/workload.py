"""A workload as a mix of instructions and operations, and the path of one unit of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from virtperf.dist import Deterministic
from virtperf.errors import ParameterError, ScenarioError
from virtperf.path import Choice, Part, Path, Spawn, Step, Transition, end
from virtperf.technique.costs import Costs
from virtperf.technique.cpu.code import Code
from virtperf.technique.cpu.large_faults import HOST_PAGES, large_faults
from virtperf.technique.cpu.operations import OPERATIONS, Operation

if TYPE_CHECKING:
    from virtperf.technique.cpu import CpuTechnique
    from virtperf.technique.memory import MemoryTechnique

CODE = (
    "instructions kernel_share cycles_per_instruction memory_share block indirect_share "
    "footprint image"
)


REGION = "updates_per_region"  # of page tables, that a guest's kernel can let wait together
FLOATS = "float_share"
DATA = ("data_footprint", "page_visits", "skew", "write_share")
TURN = "turn_pages"  # that a process touches between two switches of address space
OPTIONAL = (REGION, FLOATS, TURN, *DATA)
LINE = 64  # bytes that the smallest data take
MOST_SKEW = 20  # beyond it, all but one page are never visited
MOST_SENT = 1_000  # interrupts that one unit sends to other vCPUs


def unknown(names: Iterable[str]) -> dict[str, str]:
    """Return the names that no workload has, each with the nearest that it has, or ""."""
    known = {*CODE.split(), *OPTIONAL, *(operation.events for operation in OPERATIONS.values())}
    strange = [name for name in names if name not in known]
    return {name: "".join(get_close_matches(name, known, n=1)) for name in strange}


class Workload:
    """The numbers of one unit of a workload.

    Parameters
    ----------
    costs : Costs
        Of the platform and, last, of the workload: ``instructions``, and so on, as `CODE` names
        them, and per unit the number of each of `OPERATIONS`; one not named does not happen.

    Attributes
    ----------
    large : LargeFaults, optional
        What takes the place of page faults where the guest's pages are large.

    Raises
    ------
    ScenarioError
        If the workload has numbers that no workload has, all at once.
    ParameterError
        If a number is negative, a share above 1, or one is missing that another needs.
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        if strange := unknown(costs.sets[-1]):
            says = [
                f"{name} is no number of a workload" + (f"; did you mean {near}?" if near else "")
                for name, near in strange.items()
            ]
            raise ScenarioError(costs.sets[-1].name, says)
        self._cycle_ns = 1e9 / costs.quantity("frequency").base
        for key in CODE.split():
            self._number(key, share=key.endswith("_share"))
        if FLOATS in costs:
            self._number(FLOATS, share=True)
        per_unit = {one.name: self._asked(one) for one in OPERATIONS.values()}
        self.large = large_faults(costs, per_unit["page_fault"], per_unit["fresh_page"])
        self._check_data()
        if not 1 <= self._number("footprint") <= self._number("image"):
            must = f"from 1 to image, {self._number('image'):g}"
            raise ParameterError("workload", "footprint", must, self._number("footprint"))
        if self._number("block") < 1:
            raise ParameterError("workload", "block", "at least 1", self._number("block"))

    def _number(self, key: str, *, share: bool = False) -> float:
        value = self._costs.share(key)
        if value < 0 or (share and key != "memory_share" and value > 1):
            raise ParameterError("workload", key, "in [0, 1]" if share else "at least 0", value)
        return value

    def _check_data(self) -> None:
        """Refuse data of no size, no visits of it, and shares and skews that cannot be."""
        if "data_footprint" not in self._costs:
            return
        if "page_visits" not in self._costs:
            raise ParameterError("workload", "page_visits", "given where data_footprint is", None)
        for key, least in (("data_footprint", LINE), ("page_visits", 0)):
            if self._number(key) < least or not self._number(key):
                must = f"at least {least} B" if least else "above 0"
                raise ParameterError("workload", key, must, self._number(key))
        if "write_share" in self._costs:
            self._number("write_share", share=True)
        if "skew" in self._costs and not 0 <= self._costs.share("skew") <= MOST_SKEW:
            must = f"from 0 to {MOST_SKEW}"
            raise ParameterError("workload", "skew", must, self._costs.share("skew"))

    def events(self, operation: Operation) -> float:
        """Return how many operations of a kind there are per unit, but those of large faults.

        The host gives memory by its own pages: of fresh ones, which a guest uses in order, each
        of its large pages is the first use of many.
        """
        number, large = self._asked(operation), self.large
        if large is not None and operation.name == "page_fault":
            number -= large.pages
        if operation.name == "fresh_page":
            if large is not None and large.given:
                number -= large.pages
            number /= self._costs.count(HOST_PAGES) if HOST_PAGES in self._costs else 1
        return number

    def _asked(self, operation: Operation) -> float:
        return self._number(operation.events) if operation.events in self._costs else 0.0

    def code(self) -> Code:
        """Return the instructions of one unit, operations apart."""
        total, kernel = self._number("instructions"), self._number("kernel_share")
        ns = total * self._number("cycles_per_instruction") * self._cycle_ns
        return Code(
            user_ns=ns * (1 - kernel),
            kernel_ns=ns * kernel,
            user=total * (1 - kernel),
            kernel=total * kernel,
            memory_share=self._number("memory_share"),
            block=self._number("block"),
            indirect_share=self._number("indirect_share"),
            footprint=self._number("footprint"),
            image=self._number("image"),
            float_share=self._number(FLOATS, share=True) if FLOATS in self._costs else 0.0,
        )


def unit(
    workload: Workload,
    cpu: "CpuTechnique",
    memory: "MemoryTechnique",
    peer: Path = (),
    others: Path = (),
    addresses: Path = (),
    paging: Path = (),
) -> Path:
    """Return what one unit of a workload takes on a vCPU under its two techniques.

    Operations of a kind are one step; what is left of a number that is not whole happens by chance.

    Parameters
    ----------
    workload : Workload
    cpu, memory : CpuTechnique, MemoryTechnique
    peer : Path
        What an inter-processor interrupt does to the vCPU that it is for, from its doorbell on:
        that is another CPU's time, while this one goes on.
    others : Path
        How the TLBs of the other vCPUs are flushed, for which this one waits.
    addresses : Path
        What the translation of its addresses takes.
    paging : Path
        What it takes that memory is short, with the waits for disks: it comes last, and goes on
        on this vCPU.
    """
    parts: list[Part] = [*cpu.code(workload.code(), "vcpu"), *addresses]
    for operation in OPERATIONS.values():
        number = workload.events(operation)
        if number:
            parts += _repeated(once(operation, cpu, memory), number, operation.name)
        if operation.name == "page_fault" and workload.large is not None:
            fault = workload.large.steps(workload.code(), cpu, memory)
            parts += _repeated(fault, workload.large.number, "large_fault")
        if operation.name == "ipi" and peer:
            parts += _sent(number, (Spawn(name="ipi", path=peer),), operation)
        if operation.name == "tlb_flush" and others:
            parts += _sent(number, others, operation)
    return (*_merged(parts), *paging, end())


def once(operation: Operation, cpu: "CpuTechnique", memory: "MemoryTechnique") -> list[Step]:
    """Return the steps of one operation."""
    if not operation.memory:
        return list(cpu.operation(operation.name, "vcpu"))
    steps: list[Step] = []
    for part in _memory_path(memory, operation.name):
        if isinstance(part, Transition):
            steps += cpu.expand(part, "vcpu")
        elif isinstance(part, Step):
            steps.append(part)
    return steps


def _memory_path(memory: "MemoryTechnique", name: str) -> Path:
    answers = {
        "page_fault": memory.page_fault,
        "first_touch": memory.first_touch,
        "pte_write": memory.pte_write,
        "tlb_flush": memory.tlb_flush,
        "fresh_page": memory.fresh_page,
        "address_space": memory.address_space,
    }
    return answers[name]()


def _sent(number: float, each: Path, operation: Operation) -> Iterator[Part]:
    """Yield what each operation asks of other vCPUs; chance decides as for its own cost."""
    if number > MOST_SENT:
        must = f"at most {MOST_SENT:,} a unit, for another vCPU handles each: choose a smaller unit"
        raise ParameterError("workload", operation.events, must, number)
    whole = int(number)
    yield from each * whole
    rest = number - whole
    if rest > 1e-9:
        purpose = f"operation/{operation.name}"
        yield Choice(branches=((rest, each), (1 - rest, ())), purpose=purpose)


def _repeated(steps: list[Step], number: float, name: str) -> Iterator[Step | Choice]:
    """Yield what `number` times the steps are."""
    whole = int(number)
    if whole:
        yield from (step.repeated(whole) for step in steps)
    rest = number - whole
    if rest > 1e-9:
        ways: tuple[tuple[float, Path], ...] = ((rest, tuple(steps)), (1 - rest, ()))
        yield Choice(branches=ways, purpose=f"operation/{name}")


def _merged(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield the parts; steps that are booked and counted alike become one."""
    sums: dict[tuple[str, str], Step] = {}
    for part in parts:
        if not isinstance(part, Step):
            continue
        key = part.account, part.counts
        if key not in sums:
            sums[key] = part
            continue
        ns = sums[key].cost.mean + part.cost.mean
        times = sums[key].times + part.times if part.counts else 1
        sums[key] = replace(sums[key], cost=Deterministic(ns), times=times, masked=False)
    yield from (step for step in sums.values() if step.cost.mean or step.counts)
    yield from (part for part in parts if not isinstance(part, Step))
