"""Which model a result came from: a hash of the sources that decide an outcome."""

from functools import cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable

_DECIDE = (
    "path.py",
    "dist",
    "rng.py",
    "draws.py",
    "tables",
    "rules",
    "assembly",
    "technique",
    "mechanism",
    "mmu",
    "stream",
    "build",
    "params.py",
    "units.py",
    "stats",
    "experiment/observe.py",
    "experiment/observation.py",
    "experiment/samples.py",
    "experiment/scheduling.py",
    "experiment/reduce.py",
)
_DATA = (  # of models; a platform and a scenario are part of a point's key
    "devices.toml",
    "iommus.toml",
    "isas.toml",
    "techniques.toml",
    "images",
    "schedulers",
    "tlbs",
    "workloads",
)


@cache
def model_version(engine: str) -> str:
    """Return 16 hex digits that change when tables, rules, techniques or the engine change.

    So they do with shipped numbers other than a platform's, and with how a run is observed.

    Two results of the same scenario, seed and model version are equal.
    """
    digest = blake2b(digest_size=8)
    for name in (*_DECIDE, engine):
        _add(digest, files("virtperf") / name)
    for name in _DATA:
        _add(digest, files("virtperf.models") / name)
    return digest.hexdigest()


def _add(digest: blake2b, place: Traversable) -> None:
    if place.is_dir():
        for inside in sorted(place.iterdir(), key=lambda entry: entry.name):
            _add(digest, inside)
    elif place.name.endswith((".py", ".toml")):
        digest.update(place.name.encode() + b"\0" + place.read_bytes())
