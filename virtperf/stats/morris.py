"""Screening by elementary effects: which of many factors matter, for few runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from virtperf.errors import ParameterError
from virtperf.stats.checks import checked
from virtperf.stats.intervals import interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from virtperf.stats.checks import Series

    Verdict = Literal["negligible", "linear", "nonlinear or interacting"]

NEGLIGIBLE = 0.05  # of the largest mean effect: half of a percent of the variance, if linear
LINEAR = 0.1  # sigma over mu*, up to which effects are called all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What moving one factor across its range does to an output.

    Attributes
    ----------
    mu : float
        Mean effect; of a factor whose levels have no order it says nothing.
    mu_star, half_width : float
        Mean size of the effect, and the half-width of its interval over trajectories.
    sigma : float
        Standard deviation of the effect over where the others stand.
    verdict : {'negligible', 'linear', 'nonlinear or interacting'}
        Negligible if, at the upper end of its interval, `mu_star` is below a twentieth of the
        largest; linear if `sigma` is at most a tenth of `mu_star`.
    """

    mu: float
    mu_star: float
    half_width: float
    sigma: float
    verdict: Verdict


def morris(
    positions: Sequence[Series],
    values: Series,
    factors: Sequence[str],
    confidence: float = 0.95,
) -> dict[str, Effect]:
    """Return the elementary effects of a design by Morris.

    Parameters
    ----------
    positions : sequence of sequence of float
        A row per point, a column per factor, in [0, 1]: `virtperf.design.positions` of the design
        of `virtperf.design.morris`.
    values : sequence of float
        The answer at each point, in the same order.
    factors : sequence of str
        Names of the columns.
    confidence : float
        Coverage of the interval of `mu_star`, in (0, 1).

    Returns
    -------
    dict of str to Effect
        In units of the output per whole range. What is not negligible is worth the runs that Sobol
        indices take.

    References
    ----------
    .. [1] M. D. Morris, "Factorial sampling plans for preliminary computational experiments",
       Technometrics 33(2), 1991.
    .. [2] F. Campolongo, J. Cariboni, A. Saltelli, "An effective screening design for sensitivity
       analysis of large models", Environmental Modelling & Software 22, 2007: mu*.
    .. [3] D. Garcia Sanchez et al., "Application of sensitivity analysis in building energy
       simulations", Energy and Buildings 68, 2014: sigma / mu* up to 0.1 as almost linear.

    Examples
    --------
    >>> from virtperf import design
    >>> ranges = {"a": "0.0..1.0", "b": "0.0..1.0", "c": "0.0..1.0"}
    >>> points = design.morris(ranges, trajectories=10)
    >>> values = [5 * p["a"] + 2 * p["b"] ** 3 for p in points]
    >>> found = morris(design.positions(ranges, points), values, list(ranges))
    >>> [(name, one.verdict) for name, one in found.items()]
    [('a', 'linear'), ('b', 'nonlinear or interacting'), ('c', 'negligible')]
    """
    effects = _effects(positions, values, len(factors))
    sizes = [interval(abs(effects[:, at]), confidence) for at in range(len(factors))]
    largest = max(mean for mean, _ in sizes)
    found = {}
    for at, (name, (size, half_width)) in enumerate(zip(factors, sizes, strict=True)):
        sigma = float(effects[:, at].std(ddof=1))
        verdict: Verdict = "linear" if sigma <= LINEAR * size else "nonlinear or interacting"
        if size + half_width < NEGLIGIBLE * largest or largest == 0:
            verdict = "negligible"
        mu = float(effects[:, at].mean())
        found[name] = Effect(
            mu=mu, mu_star=size, half_width=half_width, sigma=sigma, verdict=verdict
        )
    return found


def _effects(positions: Sequence[Series], values: Series, factors: int) -> NDArray[np.float64]:
    """Return the elementary effects, a row per trajectory, a column per factor."""
    import numpy as np

    answers = checked("morris", "values", values)
    rows = np.asarray(positions, dtype=np.float64)
    length = factors + 1
    if factors < 1 or rows.shape != (len(answers), factors) or len(answers) % length:
        must = f"a row per value and a column per factor, in trajectories of {length}"
        raise ParameterError("morris", "positions", must, f"an array of shape {rows.shape}")
    if len(answers) < 2 * length:
        raise ParameterError("morris", "values", "of at least 2 trajectories", len(answers))
    steps = np.diff(rows.reshape(-1, length, factors), axis=1)
    once = (steps != 0).sum(axis=1) == 1
    if not (once.all() and ((steps != 0).sum(axis=2) == 1).all()):
        must = "trajectories that move one factor at a time, and each once"
        raise ParameterError("morris", "positions", must, "others")
    changes = np.diff(answers.reshape(-1, length), axis=1)
    moved = steps.sum(axis=2)
    which = (steps != 0).argmax(axis=2)
    effects = np.empty(which.shape)
    np.put_along_axis(effects, which, changes / moved, axis=1)
    return effects
