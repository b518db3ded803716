"""How a pool shares its CPUs: which policy, with which numbers, and what a worker may have."""

from collections.abc import Mapping
from dataclasses import dataclass

from virtperf.assembly.book import Book
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.path import Path
from virtperf.rules.policies import POLICIES as RULES
from virtperf.rules.siblings import ALONE, elapsed
from virtperf.tables import NONE, Idle, Policy, PoolRow
from virtperf.units import ticks

POLICIES: Mapping[str, Policy] = {kind.name.lower().replace("_", "-"): kind for kind in Policy}
SWITCH, IDLE, SHARING = "host: switch", "idle", "core shared with its sibling"
LEAST_SHARE = 0.5  # below it two do less than one: theory takes all pCPUs to be busy at best
WHY_IDLE = {Idle.NOBODY: IDLE, Idle.CAP: "idle: cap", Idle.GANG: "idle: gang"}
WHY_IDLE[Idle.AFFINITY] = "idle: affinity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a scheduler may give a worker.

    Attributes
    ----------
    domain : str
        The VM it belongs to; "" for a thread of its own.
    weight : int
        Its part of what there is, against the weights of others.
    cap : int
        The most that its domain may use, in thousandths of a pCPU; 0 is no limit.
    affinity : tuple of int
        The pCPUs it may use; all if there are none.
    """

    domain: str = ""
    weight: int = 1
    cap: int = 0
    affinity: tuple[int, ...] = ()

    def affinity_of(self, owner: str, pcpus: int) -> tuple[int, ...]:
        """Return the pCPUs, having checked that there are such."""
        for p in self.affinity:
            if not 0 <= p < pcpus:
                raise ParameterError(owner, "affinity", f"pCPUs below {pcpus}", p)
        if self.weight < 1:
            raise ParameterError(owner, "weight", "at least 1", self.weight)
        if self.cap < 0:
            raise ParameterError(owner, "cap", "at least 0", self.cap)
        return tuple(sorted(set(self.affinity)))


NO_LIMITS = Share()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinExits:
    """When a vCPU that spins leaves its guest, and what its hypervisor does then.

    Attributes
    ----------
    window_ns : float
        CPU time that it spins before it exits, the first time after it was put on a pCPU.
    grow : int
        What its window is multiplied by at each exit; 1 for one that stays.
    directed : bool
        Whether it gives its pCPU to another vCPU of its domain, or to whoever is next.
    cost : Path
        The exit.
    """

    window_ns: float
    grow: int = 2
    directed: bool = True
    cost: Path = ()

    def checked(self, owner: str) -> "SpinExits":
        """Return it, having checked that it makes sense."""
        if ticks(self.window_ns) < 1:
            raise ParameterError(owner, "window", "above 0", self.window_ns)
        if self.grow < 1:
            raise ParameterError(owner, "grow", "at least 1", self.grow)
        return self


NO_EXITS = SpinExits(window_ns=0.0, grow=1, directed=False)


def pool_row(
    book: Book,
    policy: str,
    *,
    pcpus: int,
    slice_ns: float,
    switch_ns: float,
    tick_ns: float,
    period_ns: float,
    constants: Mapping[str, int],
    sharing: float,
) -> PoolRow:
    """Return the row of a pool; only a policy that leaves pCPUs idle on purpose says why it does.

    Raises
    ------
    ParameterError
        If a slice is not longer than a switch, or a constant of the policy is missing.
    UnknownNameError
        If there is no such policy, or it has no such constant.
    """
    if policy not in POLICIES:
        raise UnknownNameError("policy", policy, POLICIES)
    rules = RULES[POLICIES[policy]]
    pace = _sharing(sharing, pcpus)
    if elapsed(ticks(switch_ns), pace or ALONE) >= ticks(slice_ns):
        beside = " beside a busy sibling" if pace else ""
        raise ParameterError("pool", "slice", f"longer than a switch{beside}", slice_ns)
    known = getattr(rules, "CONSTANTS", ())
    for name in constants:
        if name not in known:
            raise UnknownNameError(f"constant of {policy}", name, known)
    for name in known:
        if name not in constants:
            raise ParameterError("pool", name, f"given, for {policy} asks for it", None)
    explains = hasattr(rules, "why_idle")
    names = [WHY_IDLE[why] if explains else IDLE for why in Idle]
    return PoolRow(
        pcpus=pcpus,
        policy=POLICIES[policy],
        slice=ticks(slice_ns),
        switch=ticks(switch_ns),
        switch_account=book.accounts.number(SWITCH),
        idle_accounts=tuple(book.accounts.number(name) for name in names),
        tick=ticks(tick_ns),
        period=ticks(period_ns),
        sharing=pace,
        sharing_account=book.accounts.number(SHARING) if sharing else NONE,
        constants=tuple(constants.items()),
    )


def _sharing(share: float, pcpus: int) -> int:
    """Return how long work takes while the sibling is busy, in thousandths; 0 is no siblings."""
    if not share:
        return 0
    if pcpus % 2:
        raise ParameterError("pool", "pcpus", "even, for each core has two", pcpus)
    if not LEAST_SHARE <= share <= 1:
        raise ParameterError("pool", "sharing", f"from {LEAST_SHARE} to 1", share)
    return round(ALONE / share)
