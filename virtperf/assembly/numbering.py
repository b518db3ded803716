"""Names get numbers, distributions get rows."""

from collections.abc import Iterator

from virtperf.dist import Deterministic, Distribution, Empirical, Exponential, LogNormal
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


def draw_row(
    purpose: str, cost: Distribution, values: list[float], weights: list[float]
) -> DrawRow:
    """Return the row of a random time; the points of an empirical one are appended."""
    kind, a, b = DrawKind.DETERMINISTIC, 0.0, 0.0
    first = len(values)
    if isinstance(cost, Deterministic):
        a = cost.value
    elif isinstance(cost, Exponential):
        kind, a = DrawKind.EXPONENTIAL, cost.mean
    elif isinstance(cost, LogNormal):
        kind, a, b = DrawKind.LOGNORMAL, cost.mean, cost.cv
    elif isinstance(cost, Empirical):
        kind = DrawKind.EMPIRICAL
        values.extend(cost.values)
        weights.extend(cost.weights)
    else:
        raise ParameterError("draw", purpose, "a distribution engines know", cost)
    points = Sequence(first, len(values))
    return DrawRow(purpose=purpose, kind=int(kind), a=a, b=b, values=points)
