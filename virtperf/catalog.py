"""Finds the models that ship with virtperf: platforms, scenarios, workloads, published figures."""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from virtperf.errors import UnknownNameError
from virtperf.params import ParameterSet

_SUFFIX = {
    "platforms": ".toml",
    "scenarios": ".toml",
    "schedulers": ".toml",
    "workloads": ".toml",
    "images": ".toml",
    "profiles": ".toml",
    "tlbs": ".toml",
    "published": ".csv",
}
_ENTRY = re.compile(r"@(\w+)\s*\{\s*([^,\s{}]+)\s*,")


def root() -> Path:
    """Return the folder of all shipped models, in a checkout and in an installed wheel alike."""
    return Path(str(files("virtperf.models")))


def names(kind: str) -> list[str]:
    """Return the names of all shipped models of a kind, sorted.

    Parameters
    ----------
    kind : {'platforms', 'scenarios', 'schedulers', 'workloads', 'images', 'profiles', 'tlbs', \
'published'}
        What to list.
    """
    folder = _folder(kind)
    return sorted(file.stem for file in folder.glob(f"*{_SUFFIX[kind]}"))


def path(kind: str, name: str) -> Path:
    """Return the file of a shipped model.

    Raises
    ------
    UnknownNameError
        If there is none of that name; near matches are offered.
    """
    if name not in (known := names(kind)):
        raise UnknownNameError(kind.removesuffix("s"), name, known)
    return _folder(kind) / f"{name}{_SUFFIX[kind]}"


def platform(name_or_path: str | Path) -> ParameterSet:
    """Return a shipped platform by name, or read a platform file of one's own.

    Parameters
    ----------
    name_or_path : str or Path
        A name of ``names("platforms")``, or the path of a ``.toml`` file.

    Raises
    ------
    UnknownNameError
        If there is no platform of that name.
    ScenarioError
        If the file is wrong, with all its problems.
    """
    if Path(name_or_path).suffix == ".toml":
        return ParameterSet.from_toml(name_or_path)
    return _shipped(str(name_or_path))


def workload(name_or_path: str | Path) -> ParameterSet:
    """Return a shipped workload by name, or read a workload file; raises as `platform`."""
    if Path(name_or_path).suffix == ".toml":
        return ParameterSet.from_toml(name_or_path)
    return _shipped_workload(str(name_or_path))


def image(name_or_path: str | Path) -> ParameterSet:
    """Return a shipped process image by name, or read a file of one; raises as `platform`."""
    if Path(name_or_path).suffix == ".toml":
        return ParameterSet.from_toml(name_or_path)
    return _shipped_image(str(name_or_path))


@cache
def scheduler(name: str) -> ParameterSet:
    """Return the constants of a scheduler; raises as `path`."""
    return ParameterSet.from_toml(path("schedulers", name))


def policies() -> tuple[str, ...]:
    """Return the names of all scheduling policies; the first two have no constants of their own."""
    return ("round-robin", "pinned", *names("schedulers"))


def text(name: str) -> str:
    """Return a file of models/ that is not of a kind of its own, as text."""
    return (root() / name).read_text(encoding="utf-8")


@cache
def devices() -> ParameterSet:
    """Return what emulated devices ask of a driver: register accesses per request."""
    return ParameterSet.from_toml(root() / "devices.toml")


@cache
def iommus() -> ParameterSet:
    """Return what is counted of IOMMUs, and of how Linux uses them."""
    return ParameterSet.from_toml(root() / "iommus.toml")


def bibliography() -> dict[str, str]:
    """Return the entries of ``references.bib`` as they stand there, by citation key."""
    text = (root() / "references.bib").read_text(encoding="utf-8")
    return {
        entry[2]: text[entry.start() : _close(text, entry.end())] for entry in _ENTRY.finditer(text)
    }


@cache
def _shipped(name: str) -> ParameterSet:
    return ParameterSet.from_toml(path("platforms", name))


@cache
def _shipped_workload(name: str) -> ParameterSet:
    return ParameterSet.from_toml(path("workloads", name))


@cache
def _shipped_image(name: str) -> ParameterSet:
    return ParameterSet.from_toml(path("images", name))


def _folder(kind: str) -> Path:
    if kind not in _SUFFIX:
        raise UnknownNameError("kind of model", kind, _SUFFIX)
    return root() / kind


def _close(text: str, inside: int) -> int:
    """Return the position behind the brace that closes the entry `inside` lies in."""
    depth = 1
    for position in range(inside, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    return len(text)
