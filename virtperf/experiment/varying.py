"""A sweep in one line: a scenario, and what varies, as people type it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from virtperf.experiment.declare import Experiment

if TYPE_CHECKING:
    from virtperf.scenario import Scenario


def varied(
    scenario: Scenario, vary: Sequence[str], where: Sequence[str] = (), **fields: Any
) -> Experiment:
    """Return the experiment over the grid of some factors.

    Parameters
    ----------
    scenario : Scenario
    vary : sequence of str
        ``"vm.count=1..8"``, ``"vm.disk=native,virtio"``; ``"vm.disk"`` takes all its levels.
    where : sequence of str
        Conditions that points must meet; see `virtperf.design.where`.
    **fields
        Of `Experiment`; None stands for the default. Its name tells scenario and factors.

    Examples
    --------
    >>> from virtperf import Scenario
    >>> toy = varied(Scenario.load("toy"), ["vm.count=1..3"], ["vm.count != 2"])
    >>> toy.name, toy.design
    ('toy-by-vm.count', [{'vm.count': 1}, {'vm.count': 3}])
    """
    from virtperf.design import axis, points
    from virtperf.experiment.plan import all_levels

    axes = dict(axis(text) for text in vary)
    levels = {
        address: found or list(all_levels(address, scenario)) for address, found in axes.items()
    }
    design = points({"vary": levels} | ({"where": list(where)} if where else {}))
    name = f"{scenario.name}-by-{'-'.join(axes)}"
    given: dict[str, Any] = {"name": name}
    given |= {field: value for field, value in fields.items() if value is not None}
    return Experiment(scenario=scenario, design=design, **given)
