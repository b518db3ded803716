"""Both engines on one system: what each says of it, in a form that can be compared."""

from dataclasses import fields
from typing import Any

from virtperf import fast, sim
from virtperf.errors import VirtperfError
from virtperf.tables import Run, System


def plain(run: Run) -> dict[str, Any]:
    """Return all of a run but the name of its engine."""
    parts = {field.name: getattr(run, field.name) for field in fields(run)}
    for name in ("histograms", "wakes"):
        parts[name] = [[h.counts for h in batch] for batch in getattr(run, name)]
    del parts["engine"]
    return parts


def told(engine: Any, system: System, **given: int) -> dict[str, Any]:
    """Return what an engine says of a system: a run, or its error."""
    try:
        return plain(engine.run(system, **given))
    except VirtperfError as error:
        return {"error": f"{type(error).__name__}: {error}"}


def both(system: System, *, seed: int = 1, replication: int = 0, requests: int = 200) -> list[dict]:
    """Return what `fast` and `sim` say of a system."""
    given = {"seed": seed, "replication": replication, "requests": requests}
    return [told(engine, system, **given) for engine in (fast, sim)]
