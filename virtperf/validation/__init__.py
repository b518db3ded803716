"""How far to trust it: predictions beside published figures, for tests, docs and reports."""

from virtperf.validation.claim import Claim, ClaimError, Estimate, check
from virtperf.validation.claims import CLAIMS, claims_of
from virtperf.validation.given import Given
from virtperf.validation.judge import Outcome, run
from virtperf.validation.render import markdown, table

__all__ = [
    "CLAIMS",
    "Claim",
    "ClaimError",
    "Estimate",
    "Given",
    "Outcome",
    "check",
    "claims_of",
    "markdown",
    "run",
    "table",
]
