"""Numbers that all move at once: Morris's screening, and Sobol indices of what it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from virtperf import design as designs
from virtperf.design import label
from virtperf.errors import ParameterError
from virtperf.experiment.looks import observed
from virtperf.stats import interval, morris, noise_share, sobol_indices

if TYPE_CHECKING:
    from virtperf.design import Design, Range
    from virtperf.experiment.looks import Looks
    from virtperf.result import Result


def sampled(
    looks: Looks,
    varied: Mapping[str, Range],
    output: str,
    method: str,
    *,
    trajectories: int,
    n: int,
) -> dict[str, Any]:
    """Return what `Sensitivity` tells of Morris's screening, or of Sobol indices after it."""
    seed = looks.experiment.seed or 0
    screen = designs.morris(varied, trajectories, seed=seed)
    result = looks.run([{}, *screen])
    here = _matrix(result, [{}], output, looks)[0]
    value, half_width = interval(here)
    values = _matrix(result, screen, output, looks)
    means = [sum(row) / len(row) for row in values]
    effects = morris(designs.positions(varied, screen), means, list(varied))
    found = {
        "value": value,
        "half_width": half_width,
        "effects": dict(sorted(effects.items(), key=lambda pair: -pair[1].mu_star)),
    }
    left = {a: one for a, one in varied.items() if effects[a].verdict != "negligible"}
    if method == "morris" or not left:
        return found | {"result": result, "noise": noise_share(values)}
    sample = designs.saltelli(left, n, seed=seed)
    result = looks.run([{}, *screen, *sample])
    indices = sobol_indices(_matrix(result, sample, output, looks), list(left))
    return found | {"result": result, "indices": indices, "noise": indices.noise}


def _matrix(result: Result, design: Design, output: str, looks: Looks) -> Sequence[list[float]]:
    """Return a row per point, a value per replication that all of them have."""
    home = looks.experiment.scenario.name
    seen = {}
    for name in dict.fromkeys(label(levels) or home for levels in design):
        found = observed(result, output, name)
        if found is None:
            must = f"ranges without a point that has no steady state, such as {name}"
            raise ParameterError("sensitivity", "over", must, f"{len(design)} points")
        seen[name] = found
    alike = sorted(set.intersection(*(set(found) for found in seen.values())))
    return [[seen[label(levels) or home][r] for r in alike] for levels in design]
