"""Platform numbers that a scenario sets itself: another value, or one measured elsewhere."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from virtperf import catalog
from virtperf.errors import ScenarioError, VirtperfError
from virtperf.params import ParameterSet, Quantity

PREFIX = "platform."  # of addresses: platform.exit_kernel
ENDS = ("low", "high")
_TIMES = re.compile(r"(\d+(?:\.\d*)?|\.\d+)x")
_MUST = "must be a number in the platform's unit, a factor such as 1.1x, low, high, or a table"


def parameters(platform: str, numbers: Mapping[str, Any]) -> ParameterSet:
    """Return a platform's numbers, some of them set anew.

    Parameters
    ----------
    platform : str
        Name or file of a platform.
    numbers : mapping of str to number, str or table
        A number in the platform's unit, a factor of the platform's value (``"1.1x"``), an end of
        its range (``"low"``, ``"high"``), or a whole quantity with its source.

    Examples
    --------
    >>> parameters("toy", {"exit_kernel": "2x"})["exit_kernel"].value
    2.0
    """
    known = catalog.platform(platform)
    return (
        known.replace(**{k: _own(k, known[k], v) for k, v in numbers.items()}) if numbers else known
    )


def problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with ``[numbers]``, one sentence each."""
    numbers, platform = data.get("numbers"), data.get("platform")
    if not isinstance(numbers, Mapping) or not isinstance(platform, str):
        return
    try:
        known = catalog.platform(platform)
    except VirtperfError:
        return  # said elsewhere
    for key, value in numbers.items():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"numbers.{key} is no number of platform {platform}{hint}"
            continue
        try:
            _own(key, known[key], value)
        except ScenarioError as error:
            yield from (f"numbers.{problem}" for problem in error.problems)


def _own(key: str, was: Quantity, value: object) -> Quantity:
    """Return the quantity that takes the place of `was`."""
    if isinstance(value, Mapping):
        return Quantity.from_table(key, value)
    if isinstance(value, str):
        return _relative(key, was, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScenarioError(key, [f"{key} {_MUST}, got {value!r}"])
    if not math.isfinite(value) or (value < 0 and was.unit != "1"):
        raise ScenarioError(key, [f"{key} must be finite and at least 0, got {value!r}"])
    return _moved(was, float(value))


def _relative(key: str, was: Quantity, text: str) -> Quantity:
    if text in ENDS:
        end = getattr(was, text)
        if end is None:
            raise ScenarioError(
                key, [f"{key} has no range on its platform, so {text!r} is nothing"]
            )
        return _moved(was, end)
    if (match := _TIMES.fullmatch(text)) is None:
        raise ScenarioError(key, [f"{key} {_MUST}, got {text!r}"])
    return _moved(was, was.value * float(match[1]))


def _moved(was: Quantity, value: float) -> Quantity:
    """Return `was` with another value and no range: it is set, not known."""
    if value == was.value:
        return was
    source = f"set by the scenario; the platform has {was.value:g} {was.unit}: {was.source}"
    return replace(
        was, value=value, low=None, high=None, evidence="assumed", checked="own", source=source
    )
