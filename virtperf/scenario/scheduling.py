"""What a scenario asks of its host's scheduler, checked: constants, weights, caps, affinities."""

from collections.abc import Iterator, Mapping
from typing import Any

from virtperf import catalog
from virtperf.scenario.fields import choice_tail
from virtperf.scenario.raw import vms

HEEDS_NOT: Mapping[str, tuple[str, ...]] = {
    "round-robin": ("weight", "cap", "affinity", "thread_affinity"),
    "pinned": ("weight", "cap", "affinity", "thread_affinity"),
    "gang": ("cap", "affinity", "thread_affinity"),
    "relaxed-gang": ("cap",),
}
"""What a policy knows nothing of; the others heed all."""
NOT_FOR_CHANGE = ("slice", "weight")  # which have fields of their own


def problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong, one sentence each; data that others refuse is passed over."""
    host = data.get("host", {})
    if not isinstance(host, Mapping):
        return
    policy, pcpus = host.get("policy", "round-robin"), host.get("pcpus", 4)
    if host.get("smt") is True and isinstance(pcpus, int) and pcpus % 2:
        yield f"host.pcpus must be even, for with smt each core has two, got {pcpus}"
    if policy in catalog.policies():
        yield from _constants(policy, host.get("scheduler", {}))
        for name, vm in vms(data):
            yield from _shares(name, vm, policy)
            vcpus = vm.get("vcpus", 1)
            if policy == "gang" and _is_number(vcpus) and _is_number(pcpus) and vcpus > pcpus:
                must = f"at most host.pcpus ({pcpus}) under gang, which runs them together"
                yield f"{name}.vcpus must be {must}, got {vcpus!r}"
    for name, vm in vms(data):
        for field in ("affinity", "thread_affinity"):
            yield from _affinity(f"{name}.{field}", vm.get(field), pcpus)
        yield from _cap(name, vm.get("cap"), vm.get("vcpus", 1))


def domain(name: str, given: Mapping[str, Any], host: Any, vcpus: Any) -> Iterator[str]:
    """Yield what is wrong with the share that a domain of the host's own may have."""
    host = host if isinstance(host, Mapping) else {}
    policy, pcpus = host.get("policy", "round-robin"), host.get("pcpus", 4)
    if policy in catalog.policies():
        yield from _shares(name, given, policy)
        many = given.get("vcpus")
        if policy == "gang" and _is_number(many) and _is_number(pcpus) and many > pcpus:
            must = f"at most host.pcpus ({pcpus}) under gang, which runs them together"
            yield f"{name}.vcpus must be {must}, got {many!r}"
    yield from _affinity(f"{name}.affinity", given.get("affinity"), pcpus)
    yield from _cap(name, given.get("cap"), vcpus)


def _cap(name: str, cap: Any, vcpus: Any) -> Iterator[str]:
    if _is_number(cap) and _is_number(vcpus) and cap > vcpus:
        yield f"{name}.cap must be at most vcpus ({vcpus}), which cannot use more, got {cap!r}"


def _constants(policy: str, given: Any) -> Iterator[str]:
    if not isinstance(given, Mapping):
        return
    known: list[str] = []
    if policy in catalog.names("schedulers"):
        known = [name for name in catalog.scheduler(policy) if name not in NOT_FOR_CHANGE]
    for name, value in given.items():
        if name not in known:
            none = f" must be left out: {policy} has no constants"
            yield f"host.scheduler.{name}{choice_tail(known, name) if known else none}"
        elif name in ("tick", "period") and value in (0, 0.0):
            yield f"host.scheduler.{name} must be above 0, got {value!r}"


def _shares(name: str, vm: Mapping[str, Any], policy: str) -> Iterator[str]:
    for field in HEEDS_NOT.get(policy, ()):
        if vm.get(field) is not None:
            yield f"{name}.{field} must be left out under {policy}, which heeds none"


def _affinity(name: str, given: Any, pcpus: Any) -> Iterator[str]:
    if not isinstance(given, list | tuple) or not isinstance(pcpus, int):
        return
    for p in given:
        if isinstance(p, int) and p >= pcpus:
            yield f"{name} must name pCPUs below host.pcpus ({pcpus}), got {p}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
