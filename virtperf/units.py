"""Units of the border, and ticks: engines count integer picoseconds, people read ns, us, ms, s."""

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from virtperf.errors import ParameterError

TICKS_PER_NS = 1000
MAX_TICKS = 2**63 - 1  # tables hold ticks as int64: 106 days

UNITS: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "ns": ("duration", 1.0),
        "us": ("duration", 1e3),
        "ms": ("duration", 1e6),
        "s": ("duration", 1e9),
        "cycles": ("cycles", 1.0),
        "Hz": ("frequency", 1.0),
        "kHz": ("frequency", 1e3),
        "MHz": ("frequency", 1e6),
        "GHz": ("frequency", 1e9),
        "B": ("size", 1.0),
        "KiB": ("size", 2.0**10),
        "MiB": ("size", 2.0**20),
        "GiB": ("size", 2.0**30),
        "B/s": ("bandwidth", 1.0),
        "KiB/s": ("bandwidth", 2.0**10),
        "MiB/s": ("bandwidth", 2.0**20),
        "GiB/s": ("bandwidth", 2.0**30),
        "bit/s": ("bandwidth", 1 / 8),
        "Mbit/s": ("bandwidth", 1e6 / 8),
        "Gbit/s": ("bandwidth", 1e9 / 8),
        "1/s": ("rate", 1.0),
        "1": ("number", 1.0),
    }
)
"""Each unit's dimension, and its size in base units: ns, cycles, Hz, B, B/s, 1/s, 1."""

_EXAMPLES = {
    "duration": "10us",
    "cycles": "1200cycles",
    "frequency": "2.5GHz",
    "size": "4KiB",
    "bandwidth": "500MiB/s",
    "rate": "2000 1/s",
    "number": "0.5",
}
_TEXT = re.compile(
    r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)(?:\s*([A-Za-z]\S*)|\s+(1/s|1))?\s*"
)


def ticks(ns: float) -> int:
    """Round nanoseconds to ticks, half to even; a positive time never becomes 0.

    Parameters
    ----------
    ns : float
        A time, in ns.

    Returns
    -------
    int
        The time in ticks (picoseconds).

    Raises
    ------
    ParameterError
        If `ns` is negative, not a number, or longer than an int64 of ticks (106 days).

    Examples
    --------
    >>> ticks(1.5), ticks(0), ticks(1e-9)
    (1500, 0, 1)
    """
    scaled = ns * TICKS_PER_NS
    if not 0 <= scaled < MAX_TICKS:
        raise ParameterError("units", "ticks", "a time from 0 ns to 106 days", ns)
    return max(1, round(scaled)) if scaled > 0 else 0


def ns(ticks: int) -> float:
    """Return the nanoseconds of a number of ticks."""
    return ticks / TICKS_PER_NS


def parse(text: str, dimension: str) -> float:
    """Read a number with its unit, such as ``"4KiB"``, ``"32 us"`` or ``"2.5GHz"``.

    Parameters
    ----------
    text : str
        Number and unit; a bare number has the unit ``1``.
    dimension : {'duration', 'cycles', 'frequency', 'size', 'bandwidth', 'rate', 'number'}
        What the unit must measure.

    Returns
    -------
    float
        The value in base units: ns, cycles, Hz, B, B/s, 1/s or 1.

    Raises
    ------
    ParameterError
        If `text` is not such a quantity; its ``must`` and ``got`` say what was expected.

    Examples
    --------
    >>> parse("4KiB", "size"), parse("32 us", "duration")
    (4096.0, 32000.0)
    """
    match = _TEXT.fullmatch(text)
    if match:
        number, unit = float(match[1]), match[2] or match[3] or "1"
        measures, factor = UNITS.get(unit, ("", 0.0))
        if measures == dimension and math.isfinite(number * factor):
            return number * factor
    article = "some" if dimension == "cycles" else "a"
    must = f"{article} {dimension} such as {_EXAMPLES[dimension]}"
    raise ParameterError("units", dimension, must, text)


def human_time(ns: float) -> str:
    """Word a time with three significant digits, for example ``"12.3 us"``."""
    for unit in ("ns", "us", "ms"):
        shown = float(f"{ns / UNITS[unit][1]:.3g}")
        if not abs(shown) >= 1000:
            return f"{shown:g} {unit}"
    seconds = ns / UNITS["s"][1]
    return f"{seconds:.3g} s" if abs(seconds) < 999.5 else f"{seconds:.0f} s"
