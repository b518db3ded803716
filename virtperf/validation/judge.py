"""Runs claims: all predictions first, then the published outcomes, then the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from virtperf.units import UNITS
from virtperf.validation import published
from virtperf.validation.claim import Claim, ClaimError, Estimate, Verdict, check
from virtperf.validation.claims import CLAIMS
from virtperf.validation.given import Given
from virtperf.validation.published import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A claim, its prediction, and what was published. `predicted` is in the unit of `fact`."""

    claim: Claim
    predicted: Estimate
    fact: Fact

    @property
    def published(self) -> float:
        """The published value."""
        assert self.fact.value is not None
        return self.fact.value

    @property
    def error(self) -> float:
        """Relative error of the prediction."""
        return self.predicted.value / self.published - 1

    @property
    def accepts(self) -> tuple[float, float]:
        """What the prediction may be; the spread of a published range is allowed for."""
        if self.claim.within is not None:
            return self.claim.within
        low, high = self.fact.low or self.published, self.fact.high or self.published
        if self.claim.factor is not None:
            return low / self.claim.factor, high * self.claim.factor
        return low * (1 - self.claim.tolerance), high * (1 + self.claim.tolerance)

    @property
    def verdict(self) -> Verdict:
        """Met or missed with its whole noise interval; unresolved if the interval is astride."""
        low, high = self.accepts
        value, noise = self.predicted.value, self.predicted.half_width
        if low <= value - noise and value + noise <= high:
            return "met"
        if value + noise < low or value - noise > high:
            return "missed"
        return "unresolved"


def run(claims: Sequence[Claim] = CLAIMS, *, quick: bool = False) -> list[Outcome]:
    """Make every prediction, then look the outcomes up and compare.

    Parameters
    ----------
    claims : sequence of Claim
    quick : bool
        Leave out what takes more than about five seconds.

    Returns
    -------
    list of Outcome

    Raises
    ------
    ClaimError
        If a claim knows its outcome (see `check`), or no such outcome was published.
    """
    claims = [claim for claim in claims if not (quick and claim.slow)]
    facts = published.inputs()
    check(claims, facts)
    predictions = [claim.predict(Given(claim.inputs, facts)) for claim in claims]
    known = published.outcomes()  # not before this line: a prediction must not see them
    return [_compared(c, p, known) for c, p in zip(claims, predictions, strict=True)]


def _compared(claim: Claim, predicted: Estimate, known: dict[str, Fact]) -> Outcome:
    if claim.outcome not in known:
        raise ClaimError(f"{claim.says}: no outcome is called {claim.outcome!r}")
    fact = known[claim.outcome]
    factor = UNITS[fact.unit][1]
    band = predicted.band
    inside = Estimate(
        predicted.value / factor,
        predicted.half_width / factor,
        None if band is None else (band[0] / factor, band[1] / factor),
    )
    return Outcome(claim=claim, predicted=inside, fact=fact)
