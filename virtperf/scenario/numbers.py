"""Numbers of platform and workload that a scenario sets itself: changed, or measured elsewhere."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from virtperf import catalog
from virtperf.errors import ScenarioError, VirtperfError
from virtperf.params import ParameterSet, Quantity
from virtperf.scenario import raw
from virtperf.technique.cpu.workload import unknown

PREFIX = "platform."  # of addresses: platform.exit_kernel
OF_WORKLOAD = re.compile(r"(vm(?:\[\d+\])?\.load\.numbers)\.(\w+)")
ENDS = ("low", "high")
_PLATFORM, _WORKLOAD = "platform", "workload"
_TIMES = re.compile(r"(\d+(?:\.\d*)?|\.\d+)x")
_MUST = "must be a number in the {}'s unit, a factor such as 1.1x, low, high, or a table"


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


def workload(name: str, numbers: Mapping[str, Any]) -> ParameterSet:
    """Return a workload's numbers, some of them set anew, or added: what it does not count yet.

    Parameters
    ----------
    name : str
        Name or file of a workload.
    numbers : mapping of str to number, str or table
        As of `parameters`; a number that the workload lacks has no factor and no range.

    Examples
    --------
    >>> workload("web-server", {"page_faults": "4x"})["page_faults"].value
    2.0
    >>> workload("web-server", {"port_reads": 3})["port_reads"].value
    3.0
    """
    known = catalog.workload(name)
    if not numbers:
        return known
    lacking = {key: _none(name) for key in numbers if key not in known}
    every = ParameterSet(known.name, {**known, **lacking}, title=known.title, about=known.about)
    return every.replace(**{k: _own(k, every[k], v, _WORKLOAD) for k, v in numbers.items()})


def problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with ``[numbers]`` and ``[vm.load.numbers]``, one sentence each."""
    yield from _of_platform(data.get("numbers"), data.get("platform"))
    for at, load, _ in raw.loads(data):
        if isinstance(load.get("numbers"), Mapping):
            yield from _of_workload(f"{at}.", load["numbers"], load.get("workload"))


def _of_platform(numbers: Any, platform: Any) -> Iterator[str]:
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
        else:
            yield from (f"numbers.{says}" for says in _wrong(key, known[key], value, _PLATFORM))


def _of_workload(owner: str, numbers: Mapping[str, Any], name: Any) -> Iterator[str]:
    if name is None:
        if numbers:
            yield f"{owner}numbers must be left out unless load.workload is given"
        return
    try:
        known = catalog.workload(name)
    except (VirtperfError, TypeError):
        return  # said elsewhere
    strange = unknown(numbers)
    for key, near in strange.items():
        hint = f"; did you mean {near}?" if near else ""
        yield f"{owner}numbers.{key} is no number of a workload{hint}"
    for key in (key for key in numbers if key not in strange):
        was = known[key] if key in known else _none(name)
        for says in _wrong(key, was, numbers[key], _WORKLOAD):
            yield f"{owner}numbers.{says}"


def _wrong(key: str, was: Quantity, value: object, whose: str) -> Sequence[str]:
    try:
        _own(key, was, value, whose)
    except ScenarioError as error:
        return error.problems
    return ()


def _none(workload: str) -> Quantity:
    """Return what a workload has of something that it does not count."""
    says = f"{workload} counts none"
    return Quantity(value=0.0, unit="1", source=says, evidence="assumed", checked="own")


def _own(key: str, was: Quantity, value: object, whose: str = _PLATFORM) -> Quantity:
    """Return the quantity that takes the place of `was`."""
    if isinstance(value, Mapping):
        return Quantity.from_table(key, value)
    if isinstance(value, str):
        return _relative(key, was, value, whose)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScenarioError(key, [f"{key} {_MUST.format(whose)}, got {value!r}"])
    least = was.unit != "1" or whose == _WORKLOAD
    if not math.isfinite(value) or (value < 0 and least):
        raise ScenarioError(key, [f"{key} must be finite and at least 0, got {value!r}"])
    return _moved(was, float(value), whose)


def _relative(key: str, was: Quantity, text: str, whose: str) -> Quantity:
    if text in ENDS:
        end = getattr(was, text)
        if end is None:
            raise ScenarioError(key, [f"{key} has no range in its {whose}, so {text!r} is nothing"])
        return _moved(was, end, whose)
    if (match := _TIMES.fullmatch(text)) is None:
        raise ScenarioError(key, [f"{key} {_MUST.format(whose)}, got {text!r}"])
    return _moved(was, was.value * float(match[1]), whose)


def _moved(was: Quantity, value: float, whose: str) -> Quantity:
    """Return `was` with another value and no range: it is set, not known."""
    if value == was.value:
        return was
    source = f"set by the scenario; the {whose} has {was.value:g} {was.unit}: {was.source}"
    return replace(
        was, value=value, low=None, high=None, evidence="assumed", checked="own", source=source
    )
