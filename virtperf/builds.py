"""Where compiled code is kept, what a build is called, and when it is thrown away.

Each package that is compiled (`fast`, `mmu`) has builds of its own, named by a hash of its own
sources: a change of one leaves the builds of the other alone. A source file elsewhere that a
compiled function calls must be among the parts, or a stale build would be found.
"""

import os
import platform
import shutil
from collections.abc import Iterable
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

CHECKED = os.environ.get("VIRTPERF_CHECKED", "") not in ("", "0")
"""Whether every index is checked: the debug mode, slower. Set before the first use."""
_KEPT = 4  # builds of other versions that stay: another environment may use the same home


def home() -> Path:
    """Return where builds are kept: $VIRTPERF_CACHE, else in the user's cache."""
    given = os.environ.get("VIRTPERF_CACHE")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "virtperf"


def digest(root: Path, parts: Iterable[str], *, checked: bool = CHECKED) -> str:
    """Return a hash of all that decides what is compiled.

    Parameters
    ----------
    root : Path
        The folder of the package.
    parts : iterable of str
        Files and folders below it whose Python sources count.
    checked : bool
        Whether indices are checked.
    """
    made = blake2b(digest_size=8)
    for part in parts:
        place = root / part
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            made.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    for what in (platform.python_version(), version("numba"), version("numpy"), str(checked)):
        made.update(what.encode() + b"\0")
    return made.hexdigest()


def sweep(prefix: str, current: str) -> None:
    """Remove the builds whose names start with `prefix`, but for `current` and the latest few."""
    others = [path for path in home().glob(f"{prefix}*") if path.name != current]
    for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
