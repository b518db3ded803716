"""A criterion as users type it, such as ``p99 <= 2 ms``: metric, comparison, limit with a unit."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, cast

from virtperf.errors import ParameterError
from virtperf.result import unit_of

Sense = Literal["<=", "<", ">=", ">"]

_SIZES = {
    "ns": {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9},
    "1/s": {"/s": 1.0, "1/s": 1.0, "k/s": 1e3, "M/s": 1e6},
    "1": {"": 1.0, "%": 0.01, "k": 1e3, "M": 1e6},
}
_FORM = re.compile(r"\s*(.+?)\s*(<=|>=|<|>)\s*(\d[\d,]*\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*(\S*)\s*")
_OF_LATENCY = re.compile(r"mean|p\d+(\.\d+)?")
_EXAMPLES = {"ns": "2 ms", "1/s": "100k/s", "1": "0.8 or 80%"}
EXAMPLE = "a metric, a comparison and a limit, such as 'p99 <= 2 ms' or 'throughput >= 100k/s'"


def metric_of(name: str) -> str:
    """Return the metric that a short name means.

    Examples
    --------
    >>> metric_of("p99"), metric_of("throughput")
    ('latency.p99', 'throughput')
    """
    return f"latency.{name}" if _OF_LATENCY.fullmatch(name) else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """What a metric shall meet.

    Attributes
    ----------
    metric : str
    sense : {'<=', '<', '>=', '>'}
    limit : float
        In the unit of the metric.
    """

    metric: str
    sense: Sense
    limit: float

    @classmethod
    def read(cls, text: str) -> Criterion:
        """Read a criterion.

        Raises
        ------
        ParameterError
            If it is none, or its unit is not one of its metric.

        Examples
        --------
        >>> Criterion.read("p99 <= 2 ms")
        Criterion(metric='latency.p99', sense='<=', limit=2000000.0)
        >>> Criterion.read("utilization.host < 80%").limit
        0.8
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ParameterError("criterion", "until", EXAMPLE, text)
        metric, sense = metric_of(match[1]), cast(Sense, match[2])
        unit = unit_of(metric)
        sizes = _SIZES[unit]
        if match[4] not in sizes:
            known = ", ".join(filter(None, sizes))
            must = f"a limit in {known}, such as {_EXAMPLES[unit]}, for {metric}"
            raise ParameterError("criterion", "until", must, text)
        limit = float(match[3].replace(",", "")) * sizes[match[4]]
        return cls(metric=metric, sense=sense, limit=limit)

    @property
    def sign(self) -> int:
        """1 if the metric may be so much at most, -1 if at least."""
        return 1 if self.sense[0] == "<" else -1

    @property
    def most(self) -> float:
        """What `sign` times the metric may be at most."""
        most = self.sign * self.limit
        return most if self.sense[1:] else math.nextafter(most, -math.inf)

    def __str__(self) -> str:
        """Return the criterion in words."""
        from virtperf.result.words import quantity

        return f"{self.metric} {self.sense} {quantity(self.limit, unit_of(self.metric))}"
