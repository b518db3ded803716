"""Distributions from data."""

from collections.abc import Mapping
from typing import Any

from virtperf.dist.checks import at_least_0
from virtperf.dist.empirical import Empirical
from virtperf.dist.process import Cycle, Mmpp
from virtperf.dist.protocol import Distribution
from virtperf.dist.rotating import Rotating
from virtperf.dist.shapes import Deterministic, Exponential, Gamma, LogNormal
from virtperf.errors import ParameterError, UnknownNameError
from virtperf.units import parse

_FIELDS = {
    "deterministic": ("value",),
    "exponential": ("mean",),
    "lognormal": ("mean", "cv"),
    "gamma": ("mean", "cv"),
    "empirical": ("values", "weights"),
    "rotating": ("track", "stroke", "rpm", "transfer"),
    "cycle": ("values",),
    "mmpp": ("rates_per_s", "sojourns"),
}


def distribution(mapping: Mapping[str, Any]) -> Distribution:
    """Build a distribution from data.

    Parameters
    ----------
    mapping : mapping
        ``kind`` and the fields of that kind: deterministic has ``value``; exponential ``mean``;
        lognormal and gamma ``mean`` and ``cv``; empirical ``values`` and ``weights`` (default: all
        equal, any order); rotating ``track``, ``stroke``, ``rpm`` and perhaps ``transfer``; cycle
        ``values``; mmpp ``rates_per_s`` and ``sojourns``. A time is a
        number in ns or a string with a unit.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    ParameterError
        If a field is missing, unknown or impossible.

    Examples
    --------
    >>> distribution({"kind": "exponential", "mean": "26us"})
    Exponential(mean=26000.0)
    """
    given = dict(mapping)
    kind = given.pop("kind", None)
    if kind not in _FIELDS:
        raise UnknownNameError("kind of distribution", str(kind), _FIELDS)
    if kind == "empirical" and isinstance(given.get("values"), list | tuple):
        given.setdefault("weights", [1.0] * len(given["values"]))
    if kind == "rotating":
        given.setdefault("transfer", 0.0)
    for field in _FIELDS[kind]:
        if field not in given:
            raise ParameterError(kind, field, "given", None)
    for field in given:
        if field not in _FIELDS[kind]:
            raise ParameterError(kind, field, f"absent; it has {_FIELDS[kind]}", given[field])
    return _build(kind, given)


def _build(kind: str, given: Mapping[str, Any]) -> Distribution:
    if kind == "deterministic":
        return Deterministic(_time(kind, "value", given["value"]))
    if kind == "exponential":
        return Exponential(_time(kind, "mean", given["mean"]))
    if kind in ("lognormal", "gamma"):
        shape = LogNormal if kind == "lognormal" else Gamma
        return shape(_time(kind, "mean", given["mean"]), given["cv"])
    if kind == "rotating":
        times = {f: _time(kind, f, given[f]) for f in ("track", "stroke", "transfer")}
        return Rotating.of(rpm=at_least_0(kind, "rpm", given["rpm"]), **times)
    if kind == "cycle":
        return Cycle(_times(kind, "values", given["values"]))
    if kind == "mmpp":
        rates = tuple(_listed(kind, "rates_per_s", given["rates_per_s"]))
        return Mmpp(rates, _times(kind, "sojourns", given["sojourns"]))
    values = _times(kind, "values", given["values"])
    weights = _listed(kind, "weights", given["weights"])
    if len(weights) != len(values):
        raise ParameterError(kind, "weights", f"as many as values ({len(values)})", len(weights))
    return Empirical.from_pairs(values, [at_least_0(kind, "weights", w) for w in weights])


def _listed(owner: str, field: str, value: object) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ParameterError(owner, field, "a list", value)
    return list(value)


def _times(owner: str, field: str, value: object) -> tuple[float, ...]:
    return tuple(_time(owner, field, time) for time in _listed(owner, field, value))


def _time(owner: str, field: str, value: object) -> float:
    if not isinstance(value, str):
        return at_least_0(owner, field, value)
    try:
        return parse(value, "duration")
    except ParameterError as error:
        raise ParameterError(owner, field, error.must, value) from None
