"""What every function of this package takes, and refuses: finite numbers in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from virtperf.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Series: TypeAlias = Sequence[float] | NDArray[np.float64]


def checked(owner: str, field: str, values: Series, *, least: int = 0) -> NDArray[np.float64]:
    """Return `values` as an array of at least `least` finite numbers.

    Examples
    --------
    >>> checked("interval", "values", [1, 2]).tolist()
    [1.0, 2.0]
    """
    import numpy as np

    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or not np.isfinite(data).all():
        raise ParameterError(owner, field, "a list of finite numbers", values)
    if len(data) < least:
        must = f"at least {least} value{'s' if least > 1 else ''}"
        raise ParameterError(owner, field, must, values)
    return data


def level(owner: str, confidence: float) -> float:
    """Return a confidence that is one.

    Examples
    --------
    >>> level("interval", 0.95)
    0.95
    """
    if not 0 < confidence < 1:
        raise ParameterError(owner, "confidence", "in (0, 1)", confidence)
    return confidence
