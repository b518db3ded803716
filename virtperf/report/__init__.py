"""One self-contained page that answers a question: sentences, figures, tables, sources."""

from collections.abc import Callable, Sequence
from pathlib import Path

from virtperf.errors import OutputError, ScenarioError

__all__ = ["report"]


def report(
    out: str | Path,
    scenarios: Sequence[str | Path] | None = None,
    *,
    progress: Callable[[float, int, str], None] | None = None,
) -> Path:
    """Write ``index.html``: what a load sees natively, emulated and through virtio.

    Parameters
    ----------
    out : str or Path
        Folder to write into; it is made if need be.
    scenarios : sequence of str or Path, optional
        Scenario files or names of shipped ones. The deepest is the load, the shallowest is what
        one request at a time is taken from; the shipped fio files by default.
    progress : callable, optional
        Called with (runs done, runs in all, label of the point).

    Returns
    -------
    Path
        The page; it needs nothing beside it.

    Raises
    ------
    ScenarioError
        If a scenario has no disk.
    OutputError
        If the page cannot be written.
    """
    from virtperf.report import io, scheduling
    from virtperf.report.page import render
    from virtperf.report.study import DEFAULT, conduct
    from virtperf.scenario import Scenario

    loaded = [Scenario.load(name) for name in scenarios or DEFAULT]
    for scenario in loaded:
        if any(vm.disk is None for vm in scenario.vm):
            says = "a report takes loads on a disk; virtperf cpu draws what work on the CPU costs"
            raise ScenarioError(scenario.name, [says])
    study = conduct(loaded, progress)
    runs = None if scenarios else scheduling.conduct(progress)
    paths = None if scenarios else io.conduct(progress)
    page = Path(out) / "index.html"
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(render(study, runs=runs, paths=paths), encoding="utf-8")
    except OSError as error:
        raise OutputError(page, f"cannot be written: {error.strerror}") from error
    return page
