"""Draws the figures of a report and fills its template: one file, nothing fetched."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from virtperf import plot
from virtperf.report import tables
from virtperf.report.findings import findings
from virtperf.report.study import COUNTED, COUNTS, Study
from virtperf.result import BAND, NOISE

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Figure(NamedTuple):
    """An inline picture and what it shows."""

    image: str
    caption: str
    wide: bool = False


def render(study: Study) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, StrictUndefined

    text = files("virtperf.report").joinpath("report.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(text)
    results = (study.alone, study.crowd)
    claims, missed = tables.validation()
    return template.render(
        title="What does virtualization cost here, and where does each microsecond go?",
        study=study,
        findings=findings(study),
        figures=list(_figures(study)),
        tables=_tables(study),
        assumed=_assumed(study),
        flags=tables.flags(results),
        nulls=tables.nulls(results),
        noise=NOISE.format(0.95),
        band=BAND,
        validation=claims,
        missed=missed,
        sources=[tables.combinations(), tables.sources(results)],
        provenance=study.crowd.provenance,
        length=f"{COUNTED:,}",
        most=COUNTS[-1],
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


def _figures(study: Study) -> Iterator[Figure]:
    most, crowd = COUNTS[-1], study.crowd
    yield _figure(
        plot.breakdown(study.zero),
        "Latency of one request in an otherwise empty system, by cause (theory, mean costs).",
        wide=True,
    )
    for vms in (1, most):
        here = {p: v for p, v in plot.request_times(crowd).items() if p.endswith(f"={vms}")}
        says = f"Mean latency under load by cause, {plot.short(f'vm.count={vms}')} (simulation)."
        yield _figure(plot.breakdown(here), says, wide=True)
    yield _figure(
        plot.gantt(study.timeline),
        "What happened when: 200 us of one VM on virtio under load (simulation).",
        wide=True,
    )
    for metric in ("throughput", "cpu_per_request.total", "latency.p50", "latency.p95"):
        axes = plot.response(crowd, "vm.count", metric)
        yield _figure(axes, f"{axes.get_ylabel()} against the number of VMs; bars: {_SHORT}.")
    for result, points, says in (
        (study.alone, study.alone.labels, "one request at a time"),
        (crowd, [p for p in crowd.labels if p.endswith("=1")], "under load, 1 VM"),
    ):
        yield _figure(plot.cdf(result, points=points), f"Distribution of latency, {says}.")


_SHORT = "95% intervals, simulation noise"


def _figure(axes: Axes, caption: str, *, wide: bool = False) -> Figure:
    import matplotlib
    from matplotlib import pyplot as plt

    buffer = io.BytesIO()
    figure = axes.get_figure(root=True)
    assert figure is not None
    with matplotlib.rc_context({"svg.hashsalt": "virtperf"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    image = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Figure(f"data:image/svg+xml;base64,{image}", caption[:1].upper() + caption[1:], wide)


def _assumed(study: Study) -> list[str]:
    """Return what was assumed about the device and the way techniques were combined."""
    origin = [
        f"device {name}: {device.origin}"
        for name, device in study.busy.device.items()
        if device.origin
    ]
    return list(dict.fromkeys((*origin, *study.alone.notes, *study.crowd.notes)))
