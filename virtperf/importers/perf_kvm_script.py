"""Streams of kvm events, as ``perf script`` prints them: exits are paired with entries."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

from virtperf.importers.perf_kvm_profile import ExitProfile, ExitReason, is_idle, refuse

FORMAT = "perf script"
EXIT, ENTRY, USERSPACE = "kvm:kvm_exit", "kvm:kvm_entry", "kvm:kvm_userspace_exit"
_LINE = re.compile(
    r"\s*(?P<task>\S.*?)\s+(?P<tid>-?\d+(?:/-?\d+)?)\s+(?:\[\d+\]\s+)?(?:[\w.]+\s+)?"
    r"(?P<s>\d{1,12})\.(?P<fraction>\d{1,9}):\s+(?:\d+\s+)?(?P<event>[\w-]+:[\w-]+):(?P<says>.*)"
)
_SKIPPED = re.compile(r"\s*((#|\[ perf ).*)?|\s+[0-9a-f]{6,16} .*")  # notes; callers of an event
_VCPU = re.compile(r"\s*vcpu:? (\d+)\b")
_X86 = re.compile(r"(?:\s*vcpu:? \d+,?)?\s+reason (?P<name>\S.*?)(?: rip 0x.*)?\s*")
_ARM = re.compile(r"\s*(?P<kind>\w+): \w+_EC: (?P<code>0x[0-9a-fA-F]+) \((?P<name>[^)]*)\).*")
_USER = re.compile(r"\s*reason (?P<name>\S+).*")
_CODE = re.compile(r"UNKNOWN \((\w+)\)")


class _Event(NamedTuple):
    thread: str
    vcpu: str | None
    ns: int
    event: str
    reason: str  # "" where the event has none


def is_script(lines: Iterable[str]) -> bool:
    """Return whether some line is an event of KVM."""
    found = (_LINE.fullmatch(line) for line in lines if "kvm" in line)
    return any(match and match["event"].startswith("kvm") for match in found)


def read_script(path: str | Path, lines: Sequence[str]) -> ExitProfile:
    """Read events; where no exit was recorded, count the returns to user space instead.

    An exit without a next entry of its thread has no handling time and is left out, as perf does;
    a warning counts them. The span of the time stamps is the duration.

    Raises
    ------
    ImportFileError
        If a line is no event, or an exit names no reason.
    """
    events, coarse = _events(path, lines)
    kinds = Counter(event.event for event in events)
    warnings: list[str] = []
    used = {EXIT, ENTRY} if kinds[EXIT] else {USERSPACE}
    if kinds[EXIT] and kinds[ENTRY]:
        reasons = _timed(*_pair(events), warnings)
    else:
        reasons = _counted(events, kinds, warnings)
    others = [f"{count} {kind}" for kind, count in kinds.items() if kind not in used]
    if others:
        warnings.append(f"events that were not used: {', '.join(others)}")
    if coarse and kinds[EXIT] and kinds[ENTRY]:
        warnings.append("time stamps are whole us; `perf script --ns` prints ns")
    stamps = [event.ns for event in events]
    span_s = (max(stamps) - min(stamps)) / 1e9
    times = [reason.time_ns for reason in reasons if reason.time_ns is not None]
    return ExitProfile(
        source=Path(path).name,
        format=FORMAT,
        reasons=reasons,
        samples=sum(reason.samples for reason in reasons),
        time_ns=sum(times) if times else None,
        duration_s=span_s or None,
        warnings=tuple(warnings),
    )


def _events(path: str | Path, lines: Iterable[str]) -> tuple[list[_Event], bool]:
    """Return the events, and whether no time stamp is finer than a us."""
    events: list[_Event] = []
    bad: list[str] = []
    coarse = True
    for at, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None:
            if not _SKIPPED.fullmatch(line):
                must = "an event must be `task tid [cpu] seconds: event: text`"
                bad.append(f"line {at}: {must}, got {line.strip()!r}")
            continue
        reason = _reason_of(match["event"], match["says"])
        if reason is None:
            must = f"{match['event']} must name its reason"
            bad.append(f"line {at}: {must}, got {match['says'].strip()!r}")
            continue
        coarse = coarse and len(match["fraction"]) <= 6
        vcpu = _VCPU.match(match["says"])
        ns = int(match["s"]) * 10**9 + int(match["fraction"].ljust(9, "0"))
        thread = f"{match['task']} {match['tid']}"
        events.append(_Event(thread, vcpu and vcpu[1], ns, match["event"], reason))
    refuse(path, bad)
    return events, coarse


def _reason_of(event: str, says: str) -> str | None:
    """Return the reason in the tool's spelling, "" if the event has none, None if it should."""
    if event == USERSPACE:
        user = _USER.fullmatch(says)
        return user and user["name"]
    if event != EXIT:
        return ""
    if arm := _ARM.fullmatch(says):
        if arm["kind"] != "TRAP":  # the class of the last trap is stale in an interrupt
            return arm["kind"]
        return f"UNKNOWN:{arm['code']}" if arm["name"] == "UNKNOWN" else arm["name"]
    x86 = _X86.fullmatch(says)
    return x86 and _CODE.sub(r"UNKNOWN:\1", x86["name"])


def _pair(events: Iterable[_Event]) -> tuple[dict[str, list[int]], Counter[str]]:
    """Return handling times in ns by reason, and the exits that found no entry."""
    times: defaultdict[str, list[int]] = defaultdict(list)
    unpaired: Counter[str] = Counter()
    pending: defaultdict[str, dict[str | None, _Event]] = defaultdict(dict)
    for event in events:
        waiting = pending[event.thread]
        if event.event == EXIT:
            if event.vcpu in waiting:
                unpaired[waiting[event.vcpu].reason] += 1
            waiting[event.vcpu] = event
        elif event.event == ENTRY:
            # older kernels name the vCPU in one of the two events only
            alike = [v for v in waiting if v == event.vcpu or None in (v, event.vcpu)]
            if alike:
                begun = waiting.pop(event.vcpu if event.vcpu in alike else alike[0])
                if event.ns >= begun.ns:
                    times[begun.reason].append(event.ns - begun.ns)
                else:
                    unpaired[begun.reason] += 1
    unpaired.update(event.reason for waiting in pending.values() for event in waiting.values())
    return dict(times), unpaired


def _timed(
    times: Mapping[str, Sequence[int]], unpaired: Mapping[str, int], warnings: list[str]
) -> tuple[ExitReason, ...]:
    if unpaired:
        listed = ", ".join(f"{count} {name}" for name, count in unpaired.items())
        warnings.append(f"exits left out, as no entry followed in their thread: {listed}")
    reasons = []
    for name, spent in times.items():
        mean = fmean(spent)
        spread = stdev(spent) / len(spent) ** 0.5 / mean if len(spent) > 1 and mean else None
        reasons.append(
            ExitReason(
                name=name,
                samples=len(spent),
                time_ns=float(sum(spent)),
                min_ns=float(min(spent)),
                max_ns=float(max(spent)),
                mean_ns=mean,
                relative_error=spread,
                idle=is_idle(name),
            )
        )
    return tuple(reasons)


def _counted(
    events: Iterable[_Event], kinds: Mapping[str, int], warnings: list[str]
) -> tuple[ExitReason, ...]:
    """Return reasons that are only counted, and say why."""
    kind = EXIT if kinds[EXIT] else USERSPACE
    if kind == USERSPACE:
        also = " nor kvm_userspace_exit" if not kinds[USERSPACE] else ""
        warnings.append(f"there is no kvm_exit{also}: exits that KVM handles itself are not seen")
    if not kinds[ENTRY]:
        warnings.append("there is no kvm_entry: handling times are unknown")
    elif kind == USERSPACE:
        warnings.append("without kvm_exit, handling times are unknown")
    counts = Counter(event.reason for event in events if event.event == kind)
    return tuple(
        ExitReason(
            name=name,
            samples=count,
            time_ns=None,
            min_ns=None,
            max_ns=None,
            mean_ns=None,
            relative_error=None,
            idle=is_idle(name),
        )
        for name, count in counts.items()
    )
