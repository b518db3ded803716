"""Numbers as people read them: units, intervals, reasons. Imports nothing heavy."""

import math

_SCALES = (("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9))
SHORT = {"ns": "time", "1/s": "rate", "1": "number"}


def scale(ns: float) -> tuple[str, float]:
    """Return the unit a time is read in, and its length in ns."""
    chosen = _SCALES[0]
    for unit, factor in _SCALES:
        if abs(ns) >= factor * 0.9995:
            chosen = (unit, factor)
    return chosen


def digits(value: float, significant: int = 3) -> str:
    """Return a number with thousands separators and so many significant digits."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = significant - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    return f"{rounded:,.{max(0, places)}f}"


def plus_minus(mean: float, half: float, unit: str, *, sign: bool = False) -> str:
    """Word a mean with its half-width, both with the digits the half-width leaves.

    Examples
    --------
    >>> plus_minus(12345.6, 120.0, "ns")
    '12.35 ± 0.12 us'
    >>> plus_minus(0.0, 0.0, "1")
    '0'
    """
    shown, factor = (
        scale(mean if abs(mean) > abs(half or 0) else half) if unit == "ns" else (unit, 1.0)
    )
    tail = "" if shown == "1" else shown if shown.startswith("1/") else f" {shown}"
    tail = "/s" if shown == "1/s" else tail
    mean, half = mean / factor, half / factor
    prefix = "+" if sign and mean > 0 else ""
    if not half > 0 or half < max(abs(mean) * 1e-4, 5e-5):
        return f"{prefix}{digits(mean, 4)}{tail}"
    places = max(0, 1 - math.floor(math.log10(half)))
    places = 0 if half >= 10 else min(places, 4)
    return f"{prefix}{mean:,.{places}f} ± {half:,.{places}f}{tail}"


def span(low: float, high: float, unit: str) -> str:
    """Word a band, for example ``"10.1 to 14.2 us"``."""
    if math.isnan(low):
        return ""
    shown, factor = scale(max(abs(low), abs(high))) if unit == "ns" else (unit, 1.0)
    tail = {"1": "", "1/s": "/s"}.get(shown, f" {shown}")
    return f"{digits(low / factor)} to {digits(high / factor)}{tail}"


def quantity(value: float, unit: str) -> str:
    """Word a number with its unit and three significant digits."""
    return plus_minus(value, 0.0, unit) if unit != "ns" else _time(value)


def _time(ns: float) -> str:
    unit, factor = scale(ns)
    return f"{digits(ns / factor)} {unit}"


def count(n: int, thing: str) -> str:
    """Return ``"1 VM"`` or ``"8 VMs"``."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def amount(value: float, unit: str) -> str:
    """Word a value without an interval: a share in percent, bytes in the unit they are read in.

    Examples
    --------
    >>> amount(0.25, "share"), amount(3 * 2**20, "B"), amount(2.5, "1")
    ('25.0%', '3.00 MiB', '2.500')
    """
    if unit == "share":
        return f"{digits(100 * value)}%"
    if unit == "B":
        power = next((p for p in (3, 2, 1) if value >= 2 ** (10 * p)), 0)
        return f"{digits(value / 2 ** (10 * power))} {('B', 'KiB', 'MiB', 'GiB')[power]}"
    return plus_minus(value, 0.0, unit)
