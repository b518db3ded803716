"""The answer of a report, in sentences; every number is taken from the study."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from virtperf.plot import CAUSES, cause, request_times
from virtperf.report.study import COUNTED, COUNTS, Study
from virtperf.result.words import count, digits, plus_minus, quantity, span

if TYPE_CHECKING:
    from virtperf.result import Result

NATIVE = "native"
_DEVICE = ("device", "waiting for the device")
_POLLING = "iothread: polling"
_NOTHING_NS = 20.0  # a difference of causes that is not worth a word


class Finding(NamedTuple):
    """A question, what the study answers, and details as points of a list."""

    question: str
    answer: str
    points: tuple[str, ...] = ()


def findings(study: Study) -> list[Finding]:
    """Return question and answer, the most important first."""
    most = COUNTS[-1]
    return [
        Finding("What does one request at a time see?", _alone(study)),
        Finding(
            "Where does each added microsecond go?",
            "By theory, of one request in an otherwise empty system:",
            tuple(_where(study)),
        ),
        Finding("Where does virtio stand against emulated NVMe, and why?", _virtio_or_nvme(study)),
        Finding("What does the load see in one VM?", *_crowd(study, 1)),
        Finding(f"And in {count(most, 'VM')}?", *_crowd(study, most)),
        Finding(
            "What does it cost in CPU time?",
            "Per request, all threads and polling included:",
            tuple(_cpu(study, number) for number in (1, most)),
        ),
        Finding("How sure is this?", _trust(study)),
    ]


def techniques(study: Study) -> list[str]:
    """Return the techniques that virtualize, in the order of the matrix."""
    return [name for name in study.zero if name != NATIVE]


def difference(result: Result, metric: str, point: str, baseline: str) -> tuple[float, float]:
    """Return the paired difference of a metric between two points, and its half-width."""
    rows = result.paired(metric, baseline)
    row = rows[rows["point"] == point].iloc[0]
    return float(row["difference"]), float((row["ci_high"] - row["ci_low"]) / 2)


def by_cause(accounts: Mapping[str, float]) -> dict[str, float]:
    """Return ns by cause, in the order of the figures."""
    spent = dict.fromkeys(CAUSES, 0.0)
    for account, ns in accounts.items():
        spent[cause(account)] += ns
    return spent


def _said(value: tuple[float, float], unit: str, *, sign: bool = False) -> str:
    mean, half = value
    if math.isnan(mean):
        return "unknown (too few samples)"
    return plus_minus(mean, 0.0 if math.isnan(half) else half, unit, sign=sign)


def _point(technique: str, vms: int | None = None) -> str:
    return f"vm.disk={technique}" + ("" if vms is None else f" vm.count={vms}")


def _alone(study: Study) -> str:
    result, native = study.alone, _point(NATIVE)
    parts = [
        f"{name} adds {_said(difference(result, 'latency.p50', _point(name), native), 'ns')}"
        for name in techniques(study)
    ]
    rates = [(result.value(_point(name), "throughput")[0], name) for name in study.zero]
    order = [name for _, name in sorted(rates)]
    agrees = order == sorted(study.zero, key=lambda name: -sum(study.zero[name].values()))
    says = "as theory has it" if agrees else "which differs from theory's order at zero load"
    return (
        f"Natively the median is {_said(result.value(native, 'latency.p50'), 'ns')}. "
        f"On top of it {', '.join(parts)} (medians, same draws). IOPS rank "
        f"{' < '.join(order)}, {says}."
    )


def _where(study: Study) -> Iterator[str]:
    native = by_cause(study.zero[NATIVE])
    for name in techniques(study):
        spent = by_cause(study.zero[name])
        added = {key: ns - native[key] for key, ns in spent.items() if ns - native[key] > 0.5}
        largest = sorted(added, key=lambda key: -added[key])
        parts = [f"{key} {quantity(added[key], 'ns')}" for key in largest]
        exits = sum(v for key, v in study.counters[name].items() if key.startswith("exits."))
        total = sum(spent.values()) - sum(native.values())
        yield (
            f"{name} adds {quantity(total, 'ns')} with {count(round(exits), 'exit')} per request: "
            f"{', '.join(parts)}."
        )


def _virtio_or_nvme(study: Study) -> str:
    if not {"virtio", "emulated-nvme"} <= set(study.zero):
        return "The study does not hold both."
    times = request_times(study.alone)
    virtio, nvme = by_cause(times[_point("virtio")]), by_cause(times[_point("emulated-nvme")])
    saved = {key: nvme[key] - virtio[key] for key in virtio if key not in _DEVICE}
    gain = sum(saved.values())
    less = [f"{key} ({quantity(ns, 'ns')})" for key, ns in saved.items() if ns > _NOTHING_NS]
    more = [f"{key} ({quantity(-ns, 'ns')})" for key, ns in saved.items() if ns < -_NOTHING_NS]
    seen = difference(study.alone, "latency.p50", _point("virtio"), _point("emulated-nvme"))
    verb = "faster" if gain > 0 else "slower"
    return (
        f"One request at a time, virtio is {quantity(abs(gain), 'ns')} {verb} than emulated NVMe "
        f"in the simulated mean, the device set aside: it saves {', '.join(less) or 'nothing'} and "
        f"pays {', '.join(more) or 'nothing'} more. The medians differ by "
        f"{_said(seen, 'ns', sign=True)}. {_theory_differs(study, times)} {_exits(study)} "
        f"{_stable(study)}"
    )


def _theory_differs(study: Study, times: Mapping[str, Mapping[str, float]]) -> str:
    """Say in which accounts theory's walk of a mean request differs from the simulated mean."""
    zero = sum(study.zero["virtio"].values()) - sum(study.zero["emulated-nvme"].values())
    parts = []
    for name in ("virtio", "emulated-nvme"):
        walked, seen = study.zero[name], times[_point(name)]
        for account in dict.fromkeys((*walked, *seen)):
            less = walked.get(account, 0.0) - seen.get(account, 0.0)
            if cause(account) not in _DEVICE and abs(less) > _NOTHING_NS:
                change = plus_minus(less, 0.0, "ns", sign=True)
                parts.append(f"{account} of {name} {change}")
    told = f", for it has {', '.join(parts)} against the simulated mean" if parts else ""
    says = plus_minus(zero, 0.0, "ns", sign=True)
    return f"Theory, which walks requests of mean device time only, says {says}{told}."


def _exits(study: Study) -> str:
    def told(name: str) -> str:
        kinds = {
            k.removeprefix("exits."): v for k, v in study.counters[name].items() if "exits" in k
        }
        return ", ".join(f"{digits(v)} {k}" for k, v in kinds.items() if v)

    return (
        f"Exits per request: emulated NVMe {told('emulated-nvme')} (io ones end in QEMU); "
        f"virtio {told('virtio')} (the kick ends in the kernel, the rest is the I/O thread's)."
    )


def _stable(study: Study) -> str:
    """Say whether the order of the two survives the parameter ranges."""
    table = study.alone.band
    rows = table[table["metric"] == "latency.mean"]
    ends = []
    for corner in rows["corner"].unique():
        moved = {}
        for name in ("virtio", "emulated-nvme"):
            here = rows[(rows["corner"] == corner) & (rows["point"] == _point(name))]
            if here.empty:
                return ""
            moved[name] = float(here["shift"].iloc[0])
        data = study.alone.data.query("replication == 0 and metric == 'latency.mean'")
        central = data.set_index("point")["value"]
        gap = (central[_point("virtio")] + moved["virtio"]) - (
            central[_point("emulated-nvme")] + moved["emulated-nvme"]
        )
        ends.append(f"{quantity(gap, 'ns')} with {corner}")
    return (
        f"Mean of virtio less that of NVMe at the ends of the ranges: {', '.join(ends)}."
        if ends
        else ""
    )


def _crowd(study: Study, vms: int) -> tuple[str, tuple[str, ...]]:
    result, native = study.crowd, _point(NATIVE, vms)
    bounds = result.bounds.set_index("point")
    median = _said(result.value(native, "latency.p50"), "ns")
    bound = float(bounds["throughput_bound"][native])
    lead = (
        f"{count(vms, 'VM')}, native: median {median}, "
        f"{_said(result.value(native, 'throughput'), '1/s')} in all (theory's bound "
        f"{quantity(bound, '1/s')}, set by {bounds['bottleneck'][native]}). Against it:"
    )
    here = [name for name in techniques(study) if _point(name, vms) in bounds.index]
    return lead, tuple(_against_native(study, name, vms) for name in here)


def _against_native(study: Study, name: str, vms: int) -> str:
    result, point, native = study.crowd, _point(name, vms), _point(NATIVE, vms)
    change = difference(result, "latency.p50", point, native)
    mean, half = difference(result, "throughput", point, native)
    base = result.value(native, "throughput")[0]
    equal = abs(mean) <= half
    rate = "equal within the interval" if equal else f"{digits((base + mean) / base)} times native"
    narrow = result.bounds.set_index("point")["bottleneck"][point]
    return (
        f"{name}: median {_said(change, 'ns', sign=True)}; IOPS {rate} (paired difference "
        f"{_said((mean, half), '1/s', sign=True)}); limited by {narrow}."
    )


def _cpu(study: Study, vms: int) -> str:
    result = study.crowd
    cost = {name: result.value(_point(name, vms), "cpu_per_request.total") for name in study.zero}
    parts = [f"{n} {_said(cost[n], 'ns')}" for n in sorted(cost, key=lambda n: cost[n][0])]
    return f"{count(vms, 'VM')}: {', '.join(parts)}.{_polling(study, vms)}"


def _polling(study: Study, vms: int) -> str:
    """Say how much of virtio's CPU time is its I/O thread looking for work."""
    table = study.crowd.cpu
    here = table[(table["point"] == _point("virtio", vms)) & table["account"].eq(_POLLING)]
    if here.empty:
        return ""
    spent = quantity(float(here["ns"].iloc[0]), "ns")
    return f" Of virtio's, {spent} are its I/O thread polling; disk.poll bounds the window."


def _trust(study: Study) -> str:
    summary = study.alone.summary()
    rows = summary[(summary["metric"] == "latency.mean")].set_index("point")
    bands = []
    for name in techniques(study):
        low, high = (float(rows[end][_point(name)]) for end in ("band_low", "band_high"))
        bands.append(f"{name} {span(low, high, 'ns')}")
    flags = study.crowd.flags["flag"].value_counts().to_dict()
    unresolved = flags.get("mean_unresolved", 0)
    return (
        "Every ± is simulation noise only. What the ranges of the numbers allow is wider: mean "
        f"latency of one request at a time {', '.join(bands)}. The device's times are heavy-tailed:"
        f" {unresolved} of {len(study.crowd.labels)} means under load are not resolved to 2%, so "
        "medians and paired differences lead, and theory's bounds stand beside the rates. A run of "
        f"{COUNTED:,} requests rarely meets the rarest, slowest ones, so simulated rates may lie "
        "above the long-run bound."
    )
