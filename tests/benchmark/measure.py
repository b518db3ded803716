"""How a benchmark is taken: interleaved pairs, their median and spread, a target."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How hard to try: a quick run shows that the benchmark works, and no more."""

    pairs: int = 5
    requests: int = 20_000
    replications: int = 10


QUICK = Effort(pairs=1, requests=1_000, replications=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure.

    Attributes
    ----------
    name, unit : str
    value : float
        Median over the pairs, if it was measured in pairs.
    low, high : float
        Least and largest of them.
    target : str
    met : bool
    parts : mapping of str to float
        What the figure was made from.
    """

    name: str
    value: float
    unit: str
    low: float
    high: float
    target: str
    met: bool
    parts: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        verdict = "met" if self.met else "MISSED"
        spread = f"[{self.low:.4g} .. {self.high:.4g}]"
        head = (
            f"{self.name}: {self.value:.4g} {self.unit} {spread}, target {self.target}: {verdict}"
        )
        return "\n    ".join([head, *(f"{key} {part:,.6g}" for key, part in self.parts.items())])


def interleaved(
    pairs: int, first: Callable[[], float], second: Callable[[], float]
) -> list[tuple[float, float]]:
    """Return what both say, in turns, so that a busy machine disturbs both alike."""
    return [(first(), second()) for _ in range(pairs)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and largest as a `Figure` names them."""
    return {"value": median(values), "low": min(values), "high": max(values)}
