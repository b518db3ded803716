"""Names get numbers, distributions get rows."""

from collections.abc import Iterable, Iterator, Mapping

from virtperf.dist import (
    Cycle,
    Deterministic,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    LogNormal,
    Mmpp,
    Rotating,
)
from virtperf.errors import ParameterError
from virtperf.tables import DrawKind, DrawRow, Sequence


class Names:
    """Names in the order in which they were first used."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the number of `name`, a new one if it is new."""
        return self._numbers.setdefault(name, len(self._numbers))

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)


_KINDS: Mapping[type, DrawKind] = {
    Deterministic: DrawKind.DETERMINISTIC,
    Exponential: DrawKind.EXPONENTIAL,
    LogNormal: DrawKind.LOGNORMAL,
    Gamma: DrawKind.GAMMA,
    Empirical: DrawKind.EMPIRICAL,
    Rotating: DrawKind.EMPIRICAL,
    Cycle: DrawKind.CYCLE,
    Mmpp: DrawKind.MMPP,
}


def draw_row(
    purpose: str, cost: Distribution, values: list[float], weights: list[float]
) -> DrawRow:
    """Return the row of a random time; its points, if it has any, are appended.

    Parameters
    ----------
    purpose : str
        Name of its stream.
    cost : Distribution
    values, weights : list of float
        Tables of points, of equal length.

    Raises
    ------
    ParameterError
        If engines do not know such a distribution.
    """
    if type(cost) not in _KINDS:
        raise ParameterError("draw", purpose, "a distribution engines know", cost)
    first = len(values)
    for value, weight in _points(cost):
        values.append(value)
        weights.append(weight)
    return DrawRow(
        purpose=purpose,
        kind=int(_KINDS[type(cost)]),
        a=cost.mean,
        b=cost.cv if isinstance(cost, LogNormal | Gamma) else 0.0,
        values=Sequence(first, len(values)),
    )


def _points(cost: Distribution) -> Iterable[tuple[float, float]]:
    """Return what stands in the tables of values and weights."""
    if isinstance(cost, Empirical):
        return zip(cost.values, cost.weights, strict=True)
    if isinstance(cost, Cycle):
        return ((value, 1.0) for value in cost.values)
    if isinstance(cost, Mmpp):
        return zip(cost.rates_per_s, cost.sojourns, strict=True)
    return ()
