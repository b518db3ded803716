"""What ships with virtperf, as text."""

from collections.abc import Iterator
from pathlib import Path

from virtperf import catalog
from virtperf.cli.text import table
from virtperf.errors import UnknownNameError
from virtperf.mechanism import isa
from virtperf.params import ParameterSet, Quantity
from virtperf.technique import matrix as techniques

KINDS = ("platforms", "scenarios", "techniques", "policies", "workloads", "images", "isas")
POLICIES = {
    "round-robin": "any worker on any pCPU in turn, one slice at a time",
    "pinned": "worker i on pCPU i mod pcpus",
}
"""Policies without constants of their own."""


def listing(kind: str | None) -> str:
    """List one kind of thing, or all kinds."""
    kinds = [kind] if kind else KINDS
    return "\n\n".join(f"{name}\n{_body(name)}" for name in kinds)


def _body(kind: str) -> str:
    rows = list(_rows(kind))
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"  {name:<{width}}  {says}".rstrip() for name, says in rows) or "  none yet"


def _rows(kind: str) -> Iterator[tuple[str, str]]:
    if kind == "policies":
        yield from POLICIES.items()
        yield from ((name, catalog.scheduler(name).title) for name in catalog.names("schedulers"))
    elif kind == "techniques":
        for family, names in (
            ("cpu", techniques.cpu_techniques()),
            ("memory", techniques.memory_techniques()),
            ("disk", techniques.disk_techniques()),
            ("nic", techniques.nic_techniques()),
        ):
            yield from ((f"{family} {name}", techniques.title(family, name)) for name in names)
    elif kind == "isas":
        yield from ((name, isa.isa(name).title) for name in isa.names())
    elif kind == "platforms":
        yield from ((name, catalog.platform(name).title) for name in catalog.names(kind))
    elif kind == "scenarios":
        from virtperf.scenario import Scenario

        yield from ((name, Scenario.load(name).title) for name in catalog.names(kind))
    elif kind == "images":
        yield from ((name, catalog.image(name).title) for name in catalog.names(kind))
    else:
        yield from ((name, catalog.workload(name).title) for name in catalog.names(kind))


def matrix() -> str:
    """Return which techniques go together, with a reason where they do not."""
    return "\n\n".join(_matrix(kind) for kind in ("memory", "disk", "nic"))


def _matrix(kind: str) -> str:
    rows = [
        (row["cpu"], row[kind], row["guest"], f"{row['allowed']:<3}", row["reason"])
        for row in techniques.table(kind)
    ]
    lines = [("cpu", kind, "guest", "allowed", "reason"), *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    return "\n".join(
        "  ".join([*(c.ljust(w) for c, w in zip(line, widths, strict=False)), line[4]]).rstrip()
        for line in lines
    )


def show(name: str) -> str:
    """Return every number of a platform, workload, image or scenario, with its source."""
    platforms, scenarios = catalog.names("platforms"), catalog.names("scenarios")
    workloads, schedulers = catalog.names("workloads"), catalog.names("schedulers")
    images = catalog.names("images")
    if name in platforms:
        return _platform(catalog.platform(name))
    if name in workloads:
        return _platform(catalog.workload(name))
    if name in images:
        return _platform(catalog.image(name))
    if name in schedulers:
        return _platform(catalog.scheduler(name))
    if name in scenarios:
        return _scenario(name)
    if Path(name).suffix != ".toml":
        known = {*platforms, *workloads, *images, *schedulers, *scenarios}
        raise UnknownNameError("platform, workload, image, scheduler or scenario", name, known)
    return _scenario(name) if _is_scenario(name) else _platform(catalog.platform(name))


def _is_scenario(path: str) -> bool:
    import tomllib

    try:
        return "vm" in tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True  # whose reader words the problem


def _platform(platform: ParameterSet) -> str:
    head = "\n".join(filter(None, (f"{platform.name}: {platform.title}", platform.about)))
    return f"{head}\n\n{_numbers(dict(platform))}"


def _scenario(name: str) -> str:
    from virtperf.build import sources
    from virtperf.scenario import Scenario

    scenario = Scenario.load(name)
    used = sources(scenario)
    text = f"{scenario.to_toml().rstrip()}\n\nnumbers it uses of {scenario.platform}:\n"
    return text + _numbers(used)


def _numbers(quantities: dict[str, Quantity]) -> str:
    rows = [
        (key, f"{q.value:g} {q.unit}", _range(q), f"{q.evidence}, {q.checked}")
        for key, q in quantities.items()
    ]
    lines = table(("number", "value", "range", "evidence, checked"), rows).splitlines()
    sourced = zip(lines[1:], quantities.values(), strict=True)
    return "\n".join([lines[0], *(f"{line}\n      {q.source}" for line, q in sourced)])


def _range(quantity: Quantity) -> str:
    if quantity.low is None and quantity.high is None:
        return "-"
    ends = (quantity.low, quantity.high)
    return " to ".join(f"{quantity.value if end is None else end:g}" for end in ends)
