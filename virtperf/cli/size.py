"""``virtperf size``: how much still fits, with its interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from virtperf.cli.options import (
    EngineOpt,
    OutOpt,
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
from virtperf.errors import ParameterError

if TYPE_CHECKING:
    from virtperf.experiment.size import Size


@guarded
def size_(
    scenario: ScenarioArg,
    vary: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS[=LOW..HIGH]", help="What grows, and within what; 1..64 if not given."
        ),
    ] = "vm.count",
    until: Annotated[
        str, typer.Option(metavar="CRITERION", help="What shall hold, such as 'p99 <= 2 ms'.")
    ] = "p99 <= 1 ms",
    seed: SeedOpt = None,
    replications: ReplicationsOpt = None,
    requests: RequestsOpt = None,
    engine: EngineOpt = None,
    store: StoreOpt = None,
    out: OutOpt = None,
) -> None:
    """Find the largest level at which a criterion still holds."""
    from virtperf.experiment.size import size
    from virtperf.scenario import Scenario

    writable(out)
    address, low, high = _range(vary)
    with telling(Shown.auto) as tell:
        found = size(
            Scenario.load(scenario),
            address,
            until,
            low=low,
            high=high,
            store=store,
            tell=tell,
            **given(seed=seed, replications=replications, requests=requests, engine=engine),
        )
    typer.echo(show(found))
    if out is not None:
        typer.echo(f"wrote {found.result.to_csv(out)}", err=True)


def _range(vary: str) -> tuple[str, float, float]:
    from virtperf.design import ranged
    from virtperf.experiment.size import HIGH

    if "=" not in vary:
        return vary, 1, HIGH
    address, within = ranged(vary)
    if within.choices or within.relative:
        raise ParameterError("size", "vary", "given with a range such as 1..64", vary)
    low, high = (int(v) if within.integer else v for v in (within.low, within.high))
    return address, low, high


def show(fits: Size) -> str:
    """Return the answer, and what was seen at each level, as text."""
    from virtperf.cli.text import table
    from virtperf.result import NOISE, unit_of
    from virtperf.result.words import plus_minus

    criterion, found = fits.criterion, fits.found
    unit = unit_of(criterion.metric)
    rows = []
    for level, (mean, half) in found.seen.items():
        steady = level not in fits.unsteady
        value = plus_minus(criterion.sign * mean, half, unit) if steady else "no steady state"
        rows.append((f"{level:g}", value, _verdict(fits, level)))
    lines = [_answer(fits), "", f"± is {NOISE.format(0.95)}"]
    lines += [table((fits.vary, criterion.metric, str(criterion.sense)), rows)]
    lines += [f"{fits.vary}={level:g}: {says}" for level, says in sorted(fits.unsteady.items())]
    if not found.monotone:
        lines.append("Note: it does not only get worse as the level grows; see all levels above")
    return "\n".join(lines)


def _verdict(fits: Size, level: float) -> str:
    mean, half = fits.found.seen[level]
    most = fits.criterion.most
    if mean <= most:
        return "holds" if mean + half <= most else "holds, within noise"
    return "broken" if mean - half > most else "broken, within noise"


def _answer(fits: Size) -> str:
    found, vary = fits.found, fits.vary
    if found.verdict == "never":
        lowest = min(found.seen)
        return f"{fits.criterion} does not hold at {vary}={lowest:g}, the lowest level"
    says = f"{fits.criterion} holds up to {vary}={found.level:g}"
    if found.verdict == "always":
        says += ", the highest level looked at"
    surely = "for sure nowhere" if found.surely is None else f"for sure up to {found.surely:g}"
    broken = "" if found.broken is None else f", broken for sure from {found.broken:g} on"
    return f"{says} ({surely}{broken}; 95%)"
