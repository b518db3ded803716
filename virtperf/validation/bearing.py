"""Which claims bear on a scenario: those whose predictions rest on the numbers that it reads."""

from __future__ import annotations

from collections.abc import Collection

from virtperf.validation.claim import Claim
from virtperf.validation.claims import CLAIMS

WHERE = "docs/trust.md; python -m virtperf.validation works them out anew"


def bearing(
    platform: str, names: Collection[str], claims: Collection[Claim] = CLAIMS
) -> list[Claim]:
    """Return the claims of a platform that use at least one of its numbers named, most first.

    Claims that were calibrated are left out: they prove nothing.

    Parameters
    ----------
    platform : str
    names : collection of str
        Numbers that a scenario reads.

    Examples
    --------
    >>> bearing("toy", ["exit_kernel"])
    []
    """
    wanted = {f"{platform}.{name}" for name in names}
    shared = [(len(wanted.intersection(claim.inputs)), claim) for claim in claims]
    order = sorted(shared, key=lambda pair: -pair[0])
    return [claim for count, claim in order if count and claim.kind == "predicted"]
