"""Draws the figures of a report and fills its template: one file, nothing fetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from virtperf import plot
from virtperf.report import cpu, general, io, memory, scheduling, sweeps, tables
from virtperf.report.findings import findings
from virtperf.report.picture import Picture, picture
from virtperf.report.study import COUNTED, COUNTS, Study
from virtperf.result import BAND, NOISE

if TYPE_CHECKING:
    from virtperf.result import Result


def render(
    study: Study,
    *,
    runs: scheduling.Runs | None = None,
    paths: io.Runs | None = None,
    swept: sweeps.Runs | None = None,
) -> str:
    """Return the page as HTML; that of the whole study has more parts."""
    results = (study.alone, study.crowd)
    parts: list[cpu.Part] = []
    if runs is not None and paths is not None and swept is not None:
        parts = [cpu.part(), memory.part(), io.part(paths), scheduling.part(runs)]
        parts.append(sweeps.part(swept))
    on_cpu, on_memory, on_io, scheduled, decided = parts or (None,) * 5
    name, most = study.busy.name, COUNTS[-1]
    seen = "What it would see natively, through device emulation, and through virtio with an I/O "
    return _filled(
        lead=f"{name}: {study.busy.title or 'a load on one disk'}. {seen}thread, from one VM and "
        f"from {most}.",
        findings=findings(study),
        figures=list(_figures(study)),
        tables=_tables(study),
        cpu=on_cpu,
        memory=on_memory,
        io=on_io,
        scheduling=scheduled,
        sweeps=decided,
        assumed=_assumed(study),
        flags=tables.flags(results),
        nulls=tables.nulls(results),
        results=results,
        more_sources=[one.sources for one in parts],
        provenance=study.crowd.provenance,
        length=f"at least {COUNTED:,} requests after the warm-up",
    )


def render_any(compared: Sequence[general.Compared]) -> str:
    """Return the page of any scenarios as HTML."""
    empty: dict[str, Any] = dict.fromkeys(("cpu", "memory", "io", "scheduling", "sweeps"))
    length = "as many requests as its engine does in the time planned"
    return _filled(**general.context(compared), **empty, more_sources=[], length=length)


def _filled(*, results: Sequence[Result], more_sources: list[tables.Table], **words: Any) -> str:
    """Return the template filled with `words` and with what is on every page."""
    from jinja2 import Environment, StrictUndefined

    text = files("virtperf.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(text)
    claims, missed = tables.validation()
    sources = [tables.combinations(), tables.protection(), tables.features()]
    return template.render(
        title="What does virtualization cost here, and where does each microsecond go?",
        noise=NOISE.format(0.95),
        band=BAND,
        validation=claims,
        missed=missed,
        sources=[*sources, tables.sources(results), *more_sources],
        **words,
    )


def _tables(study: Study) -> list[tables.Table]:
    alone, crowd = study.alone, study.crowd
    return [
        tables.values(alone, f"One request at a time ({study.quiet.name}), per technique"),
        tables.accounts(study.zero, "The same at zero load, by theory: where each us goes"),
        tables.values(crowd, f"Under load ({study.busy.name}), per technique and number of VMs"),
        tables.bands(alone, "Parameter band, one request at a time"),
        tables.bands(crowd, "Parameter band, under load"),
        tables.corners(study, "One request at a time: how the mean moves with each range"),
    ]


def _figures(study: Study) -> Iterator[Picture]:
    most, crowd = COUNTS[-1], study.crowd
    yield picture(
        plot.breakdown(study.zero),
        "Latency of one request in an otherwise empty system, by cause (theory, mean costs).",
        wide=True,
    )
    for vms in (1, most):
        here = {p: v for p, v in plot.request_times(crowd).items() if p.endswith(f"={vms}")}
        says = f"Mean latency under load by cause, {plot.short(f'vm.count={vms}')} (simulation)."
        yield picture(plot.breakdown(here), says, wide=True)
    yield picture(
        plot.gantt(study.timeline),
        "What happened when: 200 us of one VM on virtio under load (simulation).",
        wide=True,
    )
    for metric in ("throughput", "cpu_per_request.total", "latency.p50", "latency.p95"):
        axes = plot.response(crowd, "vm.count", metric)
        yield picture(axes, f"{axes.get_ylabel()} against the number of VMs; bars: {_SHORT}.")
    for result, points, says in (
        (study.alone, study.alone.labels, "one request at a time"),
        (crowd, [p for p in crowd.labels if p.endswith("=1")], "under load, 1 VM"),
    ):
        yield picture(plot.cdf(result, points=points), f"Distribution of latency, {says}.")


_SHORT = "95% intervals, simulation noise"


def _assumed(study: Study) -> list[str]:
    """Return what was assumed about the device and the way techniques were combined."""
    origin = [
        f"device {name}: {device.origin}"
        for name, device in study.busy.device.items()
        if device.origin
    ]
    return list(dict.fromkeys((*origin, *study.alone.notes, *study.crowd.notes)))
