"""How the arrivals of an open load are spaced."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from virtperf.dist import Deterministic, Distribution, Exponential, Gamma, LogNormal, distribution
from virtperf.errors import ParameterError
from virtperf.scenario.fields import Duration, PositiveNumber, RateOr0, RefusalError
from virtperf.scenario.frozen import Frozen, Tables

NAMED = ("poisson", "deterministic")
"""Kinds that need no table: their name says all."""
PACED = (*NAMED, "gamma", "lognormal")
"""Kinds whose rate the load gives, and the others, which have one of their own, and where."""
OWN_RATE = {"mmpp": "rates", "empirical": "values"}


class PoissonArrivals(Frozen):
    """Independent arrivals, none of which knows of another."""

    kind: Literal["poisson"]
    """Exponential gaps."""

    def gap(self, rate: float | None, jobs: int) -> Distribution:
        """Return the gap between the arrivals of one of `jobs`, which share `rate` per second."""
        return Exponential(_mean_ns(rate, jobs))


class DeterministicArrivals(Frozen):
    """Arrivals like those of a clock."""

    kind: Literal["deterministic"]
    """Equal gaps."""

    def gap(self, rate: float | None, jobs: int) -> Distribution:
        """Return the gap between the arrivals of one of `jobs`, which share `rate` per second."""
        return Deterministic(_mean_ns(rate, jobs))


class GammaArrivals(Frozen):
    """Independent gaps, more regular or more bursty than those of a Poisson process."""

    kind: Literal["gamma"]
    """Gaps with a gamma distribution."""
    cv: PositiveNumber
    """Their coefficient of variation: below 1 more regular than Poisson, above 1 more bursty."""

    def gap(self, rate: float | None, jobs: int) -> Distribution:
        """Return the gap between the arrivals of one of `jobs`, which share `rate` per second."""
        return Gamma(_mean_ns(rate, jobs), self.cv)


class LogNormalArrivals(Frozen):
    """Independent gaps with a heavier tail than gamma's."""

    kind: Literal["lognormal"]
    """Gaps with a lognormal distribution."""
    cv: PositiveNumber
    """Their coefficient of variation."""

    def gap(self, rate: float | None, jobs: int) -> Distribution:
        """Return the gap between the arrivals of one of `jobs`, which share `rate` per second."""
        return LogNormal(_mean_ns(rate, jobs), self.cv)


class MmppArrivals(Frozen):
    """Bursts: a Poisson process whose rate goes through some states, again and again."""

    kind: Literal["mmpp"]
    """A Markov-modulated Poisson process."""
    rates: Tables[RateOr0]
    """Arrivals per second of the VM in each state; 0 in some, but not in all."""
    sojourns: Tables[Duration]
    """Mean length of each state; lengths are exponential."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        self.gap(None, 1)
        return self

    def gap(self, rate: float | None, jobs: int) -> Distribution:
        """Return the gap between the arrivals of one of `jobs`, which share the rates."""
        rates = [rate / jobs for rate in self.rates]
        return _read({"kind": "mmpp", "rates_per_s": rates, "sojourns": self.sojourns})


class EmpiricalArrivals(Frozen):
    """Independent gaps from a histogram."""

    kind: Literal["empirical"]
    """Observed gaps."""
    values: Tables[Duration]
    """Gaps that were seen, in any order."""
    weights: Tables[PositiveNumber] | None = None
    """How often each was seen; by default equally often."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.gap(None, 1).mean == 0:
            raise RefusalError(f".values must be above 0 for some, got {list(self.values)}")
        return self

    def gap(self, rate: float | None, jobs: int) -> Distribution:
        """Return the gap between the arrivals of one of `jobs`, which share those seen."""
        weights = {} if self.weights is None else {"weights": self.weights}
        return _read({"kind": "empirical", "values": self.values} | weights).scaled(jobs)


def _mean_ns(rate: float | None, jobs: int) -> float:
    assert rate is not None, "a scenario gives it, or is refused as a whole"
    return 1e9 * jobs / rate


def _read(data: Mapping[str, Any]) -> Distribution:
    try:
        return distribution(data)
    except ParameterError as error:
        tail = f".{error.field} must be {error.must}, got {error.got!r}"
        raise RefusalError(tail.replace("rates_per_s", "rates")) from None


def _table(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


def _names_too(schema: dict[str, Any]) -> None:
    """Let a JSON schema allow a name for a table that would hold nothing else."""
    del schema["discriminator"]
    schema["oneOf"] = [{"type": "string", "enum": list(NAMED)}, *schema["oneOf"]]


Arrivals: TypeAlias = Annotated[
    PoissonArrivals
    | DeterministicArrivals
    | GammaArrivals
    | LogNormalArrivals
    | MmppArrivals
    | EmpiricalArrivals,
    Field(discriminator="kind"),
    BeforeValidator(_table),
    Field(json_schema_extra=_names_too),
]
