"""Names of runs by what decides them: equal keys, equal outcomes; anything else, another key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtperf.experiment.version import model_version

if TYPE_CHECKING:
    from virtperf.scenario import Scenario

PILOT = 10  # replications from which the warm-up cut of a point comes, at most


def digest(*parts: object) -> str:
    """Return 32 hex digits of plain data: blake2b-128 of its sorted JSON."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def point_key(scenario: Scenario, *, requests: int, seed: int, engine: str, pilot: int) -> str:
    """Return the key of a point: of its scenario with all numbers, and of how it is run.

    Parameters
    ----------
    scenario : Scenario
    requests, seed, engine
        Length of a run, root of all randomness, and what makes the run.
    pilot : int
        Replications that the warm-up cut comes from: the cut decides every number.
    """
    return digest(inputs(scenario), requests, seed, engine, pilot, model_version(engine))


def inputs(scenario: Scenario) -> Any:
    """Return what decides the outcome of a scenario: its fields, and the numbers it reads."""
    numbers = {
        name: (quantity.value, quantity.unit, quantity.low, quantity.high)
        for name, quantity in scenario.parameters().items()
    }
    fields = json.loads(scenario.canonical())
    return [_contents(fields | {"platform": ""}), numbers, scenario.parameters().processor]


def run_key(point: str, replication: int, corner: str = "") -> str:
    """Return the key of one run of a point."""
    return digest(point, replication, corner)


def _contents(node: Any) -> Any:
    """Return `node` with the digest of every file that it names by path in place of the path."""
    if isinstance(node, Mapping):
        return {key: _contents(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_contents(value) for value in node]
    if isinstance(node, str) and node.endswith(".toml") and Path(node).is_file():
        return blake2b(Path(node).read_bytes(), digest_size=16).hexdigest()
    return node
