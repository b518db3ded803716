"""A claim: what a model is said to reproduce, from which inputs, and how closely. Runs nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from virtperf import catalog
from virtperf.errors import ParameterError, VirtperfError
from virtperf.validation.given import Given
from virtperf.validation.published import Fact

Kind = Literal["predicted", "calibrated", "law"]
Verdict = Literal["met", "missed", "unresolved"]


class ClaimError(VirtperfError, ValueError):
    """A claim may not be made: it knows its outcome, or names something that is not there."""


class Estimate(NamedTuple):
    """What a model says, and the half-width of its simulation noise (95 %).

    `band` is what it says with all numbers of the platform at the low and at the high end of their
    range, the lesser first; None where a claim does not ask.
    """

    value: float
    half_width: float = 0.0
    band: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A published figure and the prediction that stands beside it.

    Attributes
    ----------
    says : str
        The claim in a sentence.
    outcome : str
        Id of the published figure, which holds its source; looked up when all is predicted.
    inputs : tuple of str
        Ids of all that the prediction uses: published inputs, assumptions, shipped scenarios, and
        numbers of a platform as ``platform.name``.
    predict : callable
        Makes the prediction from a `Given`, which holds the inputs and nothing else.
    tolerance : float
        Relative error that is accepted.
    why : str
        The argument for it.
    factor : float, optional
        Accepted as a factor, up or down; replaces `tolerance`.
    within : tuple of float, optional
        Accepted range of the prediction, where the claim is a shape; replaces `tolerance`.
    kind : {'predicted', 'calibrated', 'law'}
        ``calibrated``: the outcome went into the inputs, and the claim is that the model can be
        made to fit it. Such a claim proves little, and is marked wherever it is shown.
    lacks : str
        For a claim that is known to be missed: what the model lacks.
    slow : bool
        Whether the prediction takes more than about five seconds.
    """

    says: str
    outcome: str
    inputs: tuple[str, ...]
    predict: Callable[[Given], Estimate]
    why: str
    tolerance: float = 0.0
    factor: float | None = None
    within: tuple[float, float] | None = None
    kind: Kind = "predicted"
    lacks: str = ""
    slow: bool = False

    def __post_init__(self) -> None:
        if not self.why.strip():
            raise ParameterError(self.outcome, "why", "an argument for the tolerance", self.why)
        if not 0 <= self.tolerance < 1:
            raise ParameterError(self.outcome, "tolerance", "in [0, 1)", self.tolerance)


def check(claims: Iterable[Claim], facts: Mapping[str, Fact]) -> None:
    """Refuse claims that know their outcome.

    Raises
    ------
    ClaimError
        If an input is unknown; if the outcome is an input or an ancestor of one, unless the claim
        says that it is calibrated; or if it says so and is not.
    """
    for claim in claims:
        line = lineage(claim.inputs, facts)
        for name in claim.inputs:
            if name not in facts and not _of_platform(name):
                raise ClaimError(f"{claim.says}: no input is called {name!r}")
        if claim.outcome in line and claim.kind != "calibrated":
            way = " from ".join(line[claim.outcome])
            raise ClaimError(f"{claim.says}: what it foretells went into it ({way})")
        if claim.kind == "calibrated" and claim.outcome not in line:
            raise ClaimError(f"{claim.says}: not calibrated, for no input stems from its outcome")


def lineage(inputs: Iterable[str], facts: Mapping[str, Fact]) -> dict[str, tuple[str, ...]]:
    """Return everything the inputs stem from, themselves included, each with the way to it."""
    found: dict[str, tuple[str, ...]] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(name, (name,)) for name in inputs]
    while waiting:
        name, way = waiting.pop()
        if name not in found:
            found[name] = way
            parents = facts[name].ancestors if name in facts else ()
            waiting += [(parent, (*way, parent)) for parent in parents]
    return found


def _of_platform(name: str) -> bool:
    platform, _, key = name.rpartition(".")
    return platform in catalog.names("platforms") and key in catalog.platform(platform)


def of(owner: str, names: str) -> tuple[str, ...]:
    """Return the names of an owner's inputs.

    Examples
    --------
    >>> of("dall16", "line frequency")
    ('dall16.line', 'dall16.frequency')
    """
    return tuple(f"{owner}.{name}" for name in names.split())


def less(inputs: tuple[str, ...], owner: str, names: str) -> tuple[str, ...]:
    """Return inputs but for those of an owner that a claim's scenario has no use for."""
    unused = of(owner, names)
    return tuple(name for name in inputs if name not in unused)
