"""Input uncertainty: which constant makes how much of an output's band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.stats.checks import checked, level

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from virtperf.stats.checks import Series


_FLAT = 1e-6  # spread of positions, told in 6 digits, across the thinnest way through them


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one constant contributes to the band of an output.

    Attributes
    ----------
    swing : float
        How far the output moves when the constant goes across its range; signed: below 0 if the
        output falls as the constant grows.
    share : float
        Of the squared band that all make together.
    low, high : float
        Interval of `share`, of a joint sample; else `share` itself.
    """

    swing: float
    share: float
    low: float
    high: float


def one_at_a_time(moves: Mapping[str, tuple[float, float]]) -> dict[str, Contribution]:
    """Return what each constant contributes, from moves of one at a time.

    Shares are of the sum of squared swings: those of the variance, if effects add up and constants
    are independent. They say nothing of what two do together; see `attribution`.

    Parameters
    ----------
    moves : mapping of constant to (float, float)
        How far the output moves from its central value when the constant stands at the low end of
        its range, and at the high end.

    Returns
    -------
    dict of str to Contribution
        The largest first, as in a tornado diagram.

    Examples
    --------
    >>> found = one_at_a_time({"vm_exit": (-3.0, 5.0), "irq": (4.0, -2.0), "walk": (0.0, 0.0)})
    >>> [(name, one.swing, one.share) for name, one in found.items()]
    [('vm_exit', 8.0, 0.64), ('irq', -6.0, 0.36), ('walk', 0.0, 0.0)]
    """
    swings = {}
    for name, pair in moves.items():
        low, high = checked("one_at_a_time", name, pair, least=2).tolist()
        reach = max(0.0, low, high) - min(0.0, low, high)  # both ends may lie on the same side
        swings[name] = -reach if low > high else reach
    total = sum(swing**2 for swing in swings.values())
    order = sorted(swings, key=lambda name: -abs(swings[name]))
    shares = {name: swings[name] ** 2 / total if total else 0.0 for name in order}
    return {
        name: Contribution(swing=swings[name], share=share, low=share, high=share)
        for name, share in shares.items()
    }


def attribution(
    positions: Sequence[Series],
    values: Series,
    constants: Sequence[str],
    confidence: float = 0.95,
) -> tuple[dict[str, Contribution], float]:
    """Return what each constant contributes, from a sample in which all vary together.

    The output is put on a plane through the sample. A constant's share of the variance is its
    squared standardised coefficient [1]_, less what chance alone would give it: so it is not
    larger for more constants, and that of one without effect may be a little below 0.

    Parameters
    ----------
    positions : sequence of sequence of float
        A row per point, a column per constant, in [0, 1], drawn independently of each other:
        `virtperf.design.positions` of a Latin hypercube, say.
    values : sequence of float
        The output at each point; at least 2 points more than constants and mean.
    constants : sequence of str
        Names of the columns.
    confidence : float
        Coverage of the interval of a share, in (0, 1).

    Returns
    -------
    contributions : dict of str to Contribution
        The largest first.
    unexplained : float
        Share of the variance that is off the plane: curves, what constants do together, and noise
        of the simulation. Where it is large, Sobol indices say more.

    References
    ----------
    .. [1] J. C. Helton, F. J. Davis, "Latin hypercube sampling and the propagation of uncertainty
       in analyses of complex systems", Reliability Engineering & System Safety 81, 2003.

    Examples
    --------
    >>> from virtperf.design import latin_hypercube, positions
    >>> ranges = {"vm_exit": "0.0..1.0", "irq": "0.0..1.0"}
    >>> design = latin_hypercube(ranges, n=64)
    >>> values = [10 + 8 * p["vm_exit"] - 6 * p["irq"] for p in design]
    >>> found, unexplained = attribution(positions(ranges, design), values, list(ranges))
    >>> [(name, round(one.swing, 3)) for name, one in found.items()], round(unexplained, 3)
    ([('vm_exit', 8.0), ('irq', -6.0)], 0.0)
    """
    import numpy as np
    from scipy.special import stdtrit

    level("attribution", confidence)
    rows, answers = _read(positions, values, len(constants))
    spare = len(answers) - len(constants) - 1
    centred, output = rows - rows.mean(axis=0), answers - answers.mean()
    variance = float(output @ output)
    if variance == 0:
        nothing = Contribution(swing=0.0, share=0.0, low=0.0, high=0.0)
        return dict.fromkeys(constants, nothing), 0.0
    inverse = np.linalg.inv(centred.T @ centred)
    slopes = inverse @ (centred.T @ output)
    rest = output - centred @ slopes
    off = float(rest @ rest) / spare
    errors = np.sqrt(off * np.diag(inverse))
    reach = float(stdtrit(spare, (1 + confidence) / 2)) * errors
    scale = (centred**2).sum(axis=0) / variance
    found = {}
    for at, name in enumerate(constants):
        size = abs(float(slopes[at]))
        ends = (max(0.0, size - float(reach[at])), size + float(reach[at]))
        low, high = (float(scale[at]) * end**2 for end in ends)
        share = float(scale[at]) * (size**2 - float(errors[at]) ** 2)
        found[name] = Contribution(swing=float(slopes[at]), share=share, low=low, high=high)
    order = sorted(found, key=lambda name: -found[name].share)
    return {name: found[name] for name in order}, off * (len(answers) - 1) / variance


def _read(
    positions: Sequence[Series], values: Series, constants: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import numpy as np

    answers = checked("attribution", "values", values, least=constants + 3)
    rows = np.asarray(positions, dtype=np.float64)
    if constants < 1 or rows.shape != (len(answers), constants) or not np.isfinite(rows).all():
        must = "finite, a row per value and a column per constant"
        raise ParameterError("attribution", "positions", must, f"an array of shape {rows.shape}")
    spread = float(np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[-1])
    if spread < _FLAT:
        must = "a sample in which every constant varies, none along with others"
        raise ParameterError("attribution", "positions", must, "one that does not")
    return rows, answers
