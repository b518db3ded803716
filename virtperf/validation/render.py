"""The claims as a table, and as the page "how far to trust it"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from virtperf.validation.judge import Outcome, run

if TYPE_CHECKING:
    import pandas as pd

_HEAD = """# How far to trust it

Each row puts a prediction beside a published figure. Predictions are made first, from the inputs
that a claim declares; the published outcomes are read in the last step only, and a claim whose
outcome went into its inputs is refused. The exception says so: `calibrated` rows show how well
the model can be fitted, and prove nothing beyond that.

*Noise* is the simulation noise of the prediction (95 %, Student-t over replications). *How* says
whether the figure was `read` in its source or is `recalled` from memory of it, *confidence* how
sure that is. A row is `met` or `missed` with its whole noise interval. In brackets behind a
prediction stands its parameter band, where the claim asks for it: all numbers of the platform at
the low, and all at the high end of their range.
"""
_TAIL = """## What this does not show

Quantiles: no published distribution was found for any of these paths. Platforms: the figures come
from machines whose CPUs are often not named, and most costs of `x86-kvm-2020` are assumed within a
stated range; a report shows that range as the parameter band, which is another thing than noise.
"""


def table(outcomes: Sequence[Outcome] | None = None, *, quick: bool = False) -> pd.DataFrame:
    """Return one row per claim, computed now unless `outcomes` are given.

    Parameters
    ----------
    outcomes : sequence of Outcome, optional
        What `run` returned.
    quick : bool
        Leave out what takes more than about five seconds.

    Returns
    -------
    pandas.DataFrame
        Columns ``says published predicted noise band_low band_high unit error tolerance
        accepts_low accepts_high verdict kind inputs how confidence source why lacks``; error and
        tolerance are relative, and a tolerance is null where a range or a factor is accepted
        instead, a band where none is asked.
    """
    import pandas as pd

    outcomes = run(quick=quick) if outcomes is None else outcomes
    return pd.DataFrame([_row(outcome) for outcome in outcomes])


def _row(outcome: Outcome) -> dict[str, object]:
    claim, fact = outcome.claim, outcome.fact
    return {
        "says": claim.says,
        "published": outcome.published,
        "predicted": outcome.predicted.value,
        "noise": outcome.predicted.half_width,
        "band_low": None if outcome.predicted.band is None else outcome.predicted.band[0],
        "band_high": None if outcome.predicted.band is None else outcome.predicted.band[1],
        "unit": fact.unit,
        "error": outcome.error,
        "tolerance": claim.tolerance if claim.within is None and claim.factor is None else None,
        "accepts_low": outcome.accepts[0],
        "accepts_high": outcome.accepts[1],
        "verdict": outcome.verdict,
        "kind": claim.kind,
        "inputs": " ".join(claim.inputs),
        "how": fact.how,
        "confidence": fact.confidence,
        "source": fact.source,
        "why": claim.why,
        "lacks": claim.lacks,
    }


def markdown(outcomes: Sequence[Outcome] | None = None, *, quick: bool = False) -> str:
    """Return the page "how far to trust it"; parameters as in `table`."""
    outcomes = run(quick=quick) if outcomes is None else outcomes
    parts = [_HEAD, _score(outcomes), _grid(outcomes)]
    if misses := [outcome for outcome in outcomes if outcome.verdict != "met"]:
        parts += ["## What is missed, and what the model lacks\n", *map(_miss, misses)]
    parts += ["## Why these tolerances, and from which inputs\n", *map(_argument, outcomes), _TAIL]
    return "\n".join(parts)


def _score(outcomes: Sequence[Outcome]) -> str:
    predicted = [outcome for outcome in outcomes if outcome.claim.kind == "predicted"]
    met = sum(outcome.verdict == "met" for outcome in predicted)
    return f"Of {len(predicted)} predictions, {met} are met.\n"


def _grid(outcomes: Sequence[Outcome]) -> str:
    head = "claim|published|predicted|noise|unit|error|accepted|verdict|kind|how|confidence|source"
    lines = [f"|{head}|", "|---|--:|--:|--:|---|--:|--:|---|---|---|---|---|"]
    for outcome in outcomes:
        claim, fact = outcome.claim, outcome.fact
        cells = (
            claim.says,
            _number(outcome.published),
            _predicted(outcome),
            _noise(outcome),
            fact.unit if fact.unit != "1" else "ratio",
            f"{outcome.error:+.1%}",
            _accepted(outcome),
            f"**{outcome.verdict}**",
            claim.kind,
            fact.how,
            fact.confidence,
            fact.source,
        )
        lines.append("|" + "|".join(cells) + "|")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.2f}"


def _predicted(outcome: Outcome) -> str:
    """Return a prediction, and where the claim asks for it its parameter band."""
    value, band = _number(outcome.predicted.value), outcome.predicted.band
    if band is None:
        return value
    low, high = map(_precisely, band)
    return f"{_precisely(outcome.predicted.value)} ({low} to {high})"


def _precisely(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.2g}"


def _noise(outcome: Outcome) -> str:
    value, half = outcome.predicted.value, outcome.predicted.half_width
    if not half:
        return "none"
    return f"{half / value:.1%}" if value else f"+-{half:.2g}"


def _accepted(outcome: Outcome) -> str:
    if outcome.claim.factor is not None:
        return f"within a factor {outcome.claim.factor:g}"
    if outcome.claim.within is None:
        return f"within {outcome.claim.tolerance:.0%}"
    low, high = outcome.claim.within
    return f"{low:.2f} to {high:.2f}"


def _miss(outcome: Outcome) -> str:
    return f"* *{outcome.claim.says}* ({outcome.error:+.0%}): {outcome.claim.lacks}\n"


def _argument(outcome: Outcome) -> str:
    claim = outcome.claim
    inputs = " ".join(f"`{name}`" for name in claim.inputs)
    return f"* *{claim.says}*: {_accepted(outcome)}: {claim.why}. Inputs: {inputs}.\n"
