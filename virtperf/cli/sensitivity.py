"""``virtperf sensitivity``: which numbers decide, and three kinds of error kept apart."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from virtperf.cli.options import (
    EngineOpt,
    ReplicationsOpt,
    RequestsOpt,
    ScenarioArg,
    SeedOpt,
    StoreOpt,
    given,
    guarded,
    writable,
)
from virtperf.cli.progress import Shown, telling

if TYPE_CHECKING:
    from virtperf.experiment.sensitivity import Sensitivity
    from virtperf.scenario import Scenario
    from virtperf.stats import Sobol

_CLAIMS = 3  # that are named; the others are counted
_DUST = 1e-9  # of a mean effect: a spread below is rounding


class Method(StrEnum):
    """How numbers are moved."""

    one_at_a_time = "one-at-a-time"
    morris = "morris"
    sobol = "sobol"


@guarded
def sensitivity_(
    scenario: ScenarioArg,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS[=RANGE]",
            help="What moves, may be given more than once; every number of the platform that "
            "has a range and is read, if not given.",
        ),
    ] = None,
    method: Annotated[Method, typer.Option(help="How numbers are moved.")] = Method.one_at_a_time,
    output: Annotated[str, typer.Option(help="Metric that is asked about.")] = "latency.mean",
    trajectories: Annotated[int, typer.Option(help="Of Morris's screening.", min=2)] = 10,
    samples: Annotated[int, typer.Option(help="Of Sobol indices, a power of 2.", min=2)] = 64,
    seed: SeedOpt = None,
    replications: ReplicationsOpt = None,
    requests: RequestsOpt = None,
    engine: EngineOpt = None,
    store: StoreOpt = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for all tables, as CSV, and for a tornado diagram.")
    ] = None,
) -> None:
    """Find out which numbers decide an output."""
    from virtperf.experiment.sensitivity import sensitivity
    from virtperf.scenario import Scenario

    writable(out)
    chosen = Scenario.load(scenario)
    with telling(Shown.auto) as tell:
        found = sensitivity(
            chosen,
            over or "platform",
            method.value,
            output,
            trajectories=trajectories,
            n=samples,
            store=store,
            tell=tell,
            **given(seed=seed, replications=replications, requests=requests, engine=engine),
        )
    typer.echo(show(found, chosen))
    if out is not None:
        _write(found, out)


def _write(found: Sensitivity, out: Path) -> None:
    from virtperf.plot import save, tornado

    typer.echo(f"wrote {found.result.to_csv(out)}", err=True)
    if found.shares:
        save(tornado(found), out / "tornado.png")
        typer.echo(f"wrote {out / 'tornado.png'}", err=True)


def show(found: Sensitivity, scenario: Scenario) -> str:
    """Return the three kinds of error, and what each number does, as text."""
    blocks = [_errors(found, scenario)]
    if found.moves:
        blocks.append(_moves(found))
    if found.effects:
        blocks.append(_effects(found))
    if found.indices is not None:
        blocks.append(_indices(found, found.indices))
    return "\n\n".join(blocks)


def _errors(found: Sensitivity, scenario: Scenario) -> str:
    from virtperf.result.words import plus_minus

    value = plus_minus(found.value, found.half_width, _unit(found))
    lines = [
        f"{found.output} of {scenario.name}: {value}",
        f"  simulation noise: {_noise(found)}",
        f"  parameter band: {_band(found)}",
        f"  validation error: {_validation(scenario)}",
    ]
    return "\n".join(lines)


def _noise(found: Sensitivity) -> str:
    says = "the half-width, 95% Student-t over replications"
    if math.isnan(found.noise):
        return f"{says}; moves are paired, under common random numbers, and have their own"
    return f"{says}; it makes {found.noise:.1%} of the variance over the sample"


def _band(found: Sensitivity) -> str:
    from virtperf.result.words import quantity

    count = len(found.ranges)
    if not found.moves:
        return f"{count} numbers move together below; one at a time gives its ends"
    low, high = (
        "no steady state" if math.isnan(end) else quantity(end, _unit(found)) for end in found.band
    )
    return f"{low} to {high}, all {count} numbers at the ends that lower it, that raise it"


def _validation(scenario: Scenario) -> str:
    from virtperf.build import sources
    from virtperf.validation.bearing import WHERE, bearing

    claims = bearing(scenario.platform, sources(scenario))
    if not claims:
        return f"no published figure stands beside what {scenario.platform} gives here"
    named = [f"\n    {claim.says}" for claim in claims[:_CLAIMS]]
    rest = f"\n    and {len(claims) - _CLAIMS} more" if len(claims) > _CLAIMS else ""
    head = f"{len(claims)} published figures were foretold from numbers that it reads; how closely "
    return f"{head}is told in {WHERE}{''.join(named)}{rest}"


def _moves(found: Sensitivity) -> str:
    from virtperf.cli.text import table
    from virtperf.result.words import plus_minus

    def told(pair: tuple[float, float]) -> str:
        return (
            "no steady state" if math.isnan(pair[0]) else plus_minus(*pair, _unit(found), sign=True)
        )

    order = [*found.shares, *(a for a in found.moves if a not in found.shares)]
    rows = []
    for address in order:
        move, share = found.moves[address], found.shares.get(address)
        part = "-" if share is None else "< 0.1%" if share.share < 1e-3 else f"{share.share:.1%}"
        part = part if share is None or move.resolved or not share.swing else "noise"
        rows.append((address, _range(found, address), told(move.low), told(move.high), part))
    head = ("one at a time", "range", "at its low end", "at its high end", "share")
    return (
        table(head, rows)
        + "\nshare: of the sum of squared swings; noise: none that stands out of it"
    )


def _effects(found: Sensitivity) -> str:
    from virtperf.cli.text import table
    from virtperf.result.words import plus_minus, quantity

    unit = _unit(found)
    rows = [
        (
            address,
            _range(found, address),
            plus_minus(one.mu_star, one.half_width, unit),
            quantity(one.sigma if one.sigma > _DUST * one.mu_star else 0.0, unit),
            one.verdict,
        )
        for address, one in found.effects.items()
    ]
    return table(("Morris screening", "range", "mean effect", "sigma", "verdict"), rows)


def _indices(found: Sensitivity, indices: Sobol) -> str:
    from virtperf.cli.text import table

    def told(index: Any) -> str:
        return f"{index.value:.3f} [{index.low:.3f}, {index.high:.3f}]"

    order = sorted(indices.total, key=lambda address: -indices.total[address].value)
    rows = [
        (
            address,
            told(indices.first[address]),
            told(indices.total[address]),
            "" if indices.resolved(address) else "not out of the noise",
        )
        for address in order
    ]
    head = ("share of variance", "by itself", "with others", "")
    return table(head, rows) + "\n[ ]: 95% bootstrap over base samples"


def _range(found: Sensitivity, address: str) -> str:
    return found.told(address)


def _unit(found: Sensitivity) -> str:
    from virtperf.result import unit_of

    return unit_of(found.output)
