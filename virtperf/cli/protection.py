"""``virtperf protection``: who can reach what by DMA, and what each path allows."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from virtperf.cli.options import guarded

if TYPE_CHECKING:
    from virtperf.build.protection import Protected


@guarded
def protection_(
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="[SCENARIO]", help="A scenario; all paths if not given."),
    ] = None,
) -> None:
    """Print who can reach what through a device, and what each path allows and forbids."""
    from virtperf.cli.text import table
    from virtperf.technique.io import protection as reached

    if scenario is None:
        named, paths = [], reached.table()
    else:
        from virtperf.build.protection import protected
        from virtperf.scenario import Scenario

        named = protected(Scenario.load(scenario))
        paths = [one.reach for one in named]
    vms = [[one.vm] for one in named] or [[] for _ in paths]
    stale = [_stale(one) for one in named] or [
        "until a flush" if one.stale else "-" for one in paths
    ]
    rows = [
        [*vm, one.technique, one.guest, one.iommu, one.own, one.others, one.host, open_, one.by]
        for vm, one, open_ in zip(vms, paths, stale, strict=True)
    ]
    header = ["path", "guest", "iommu", "own", "other guests", "host", "stale", "refused by"]
    typer.echo(f"who can reach what\n{table([*(['vm'] if named else []), *header], rows)}")
    for one in named:
        if one.foreign_pages:
            says = f"{one.foreign_pages:,} pages can be reached without right"
            typer.echo(f"{one.vm}: {says}, all of the machine")
    techniques = dict.fromkeys(one.technique for one in paths)
    typer.echo(f"\nwhat each path allows\n{_features(techniques)}")


def _stale(one: "Protected") -> str:
    if one.exposure is None:
        return "-"
    return f"{one.exposure.most} pages, {one.exposure.longest_ns / 1e6:.3g} ms"


def _features(techniques: Iterable[str]) -> str:
    from virtperf.technique.io.features import FEATURES, feature, guards

    lines = []
    for technique in techniques:
        lines.append(f"  {technique}: {guards(technique)}")
        for name, words in FEATURES.items():
            can, why, source, checked = feature(technique, name)
            lines.append(f"    {can:<6} {words}: {why} ({source}; {checked})")
    return "\n".join(lines)
