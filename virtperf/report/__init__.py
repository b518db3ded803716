"""One self-contained page that answers a question: sentences, figures, tables, sources."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from virtperf.errors import OutputError

if TYPE_CHECKING:
    from virtperf.scenario import Scenario

__all__ = ["report"]

Progress: TypeAlias = Callable[[float, int, str], None]


def report(
    out: str | Path,
    scenarios: Sequence[str | Path] | None = None,
    *,
    progress: Progress | None = None,
) -> Path:
    """Write ``index.html``: what loads see under each technique, and where the time goes.

    Parameters
    ----------
    out : str or Path
        Folder to write into; it is made if need be.
    scenarios : sequence of str or Path, optional
        Scenario files or names of shipped ones; the shipped fio files by default. Of loads on a
        disk alone the deepest is the load, the shallowest is what one request at a time is taken
        from; any other scenario is told for itself, with each technique of what it is about.
    progress : callable, optional
        Called with (runs done, runs in all, label of the point).

    Returns
    -------
    Path
        The page; it needs nothing beside it.

    Raises
    ------
    OutputError
        If the page cannot be written.
    """
    from virtperf.report import general
    from virtperf.report.study import DEFAULT
    from virtperf.scenario import Scenario

    loaded = [Scenario.load(name) for name in scenarios or DEFAULT]
    if any(map(general.takes, loaded)):
        return _written(out, _of_any(loaded, progress))
    return _written(out, _of_disks(loaded, progress, whole=not scenarios))


def _of_any(loaded: "Sequence[Scenario]", progress: Progress | None) -> str:
    from virtperf.report import general
    from virtperf.report.page import render_any

    return render_any(general.conduct(loaded, progress))


def _of_disks(loaded: "Sequence[Scenario]", progress: Progress | None, *, whole: bool) -> str:
    """Return the page of loads on disks; the whole study has more parts."""
    from virtperf.report import io, scheduling, sweeps
    from virtperf.report.page import render
    from virtperf.report.study import conduct

    study = conduct(loaded, progress)
    runs = scheduling.conduct(progress) if whole else None
    paths = io.conduct(progress) if whole else None
    swept = sweeps.conduct() if whole else None
    return render(study, runs=runs, paths=paths, swept=swept)


def _written(out: str | Path, text: str) -> Path:
    page = Path(out) / "index.html"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(page, f"cannot be written: {error.strerror}") from error
    return page
