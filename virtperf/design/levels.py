"""What a level is: a truth value, a number, a multiple of the base's value, or a name."""

import re
from typing import Any

NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_FACTOR = re.compile(rf"({NUMBER})x")


def read_level(text: str) -> bool | int | float | str:
    """Read one level as users type it.

    Examples
    --------
    >>> [read_level(text) for text in ("8", "0.5", "true", "virtio", "0.5x")]
    [8, 0.5, True, 'virtio', '0.5x']
    """
    text = text.strip()
    if text.lower() in ("false", "true"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def read_number(text: str) -> int | float:
    """Return a text that is known to be a number as one, whole if it is written so.

    Examples
    --------
    >>> read_number("8"), read_number("8.0")
    (8, 8.0)
    """
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def factor(level: Any) -> float | None:
    """Return by what a relative level multiplies the base's value; None if it is no such level.

    Examples
    --------
    >>> factor("0.5x"), factor("virtio"), factor(8)
    (0.5, None, None)
    """
    match = _FACTOR.fullmatch(level) if isinstance(level, str) else None
    return float(match[1]) if match else None
