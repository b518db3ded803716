"""What a scenario asks of its networks, checked: rings, packets that fit, owners of NICs.

Read from the raw tables; what is missing or misspelt is reported elsewhere.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from virtperf.scenario.fields import RefusalError, choice_tail, read_size
from virtperf.scenario.raw import vms
from virtperf.technique import matrix
from virtperf.technique.net.message import HEADERS, LARGEST_SEGMENT

FIELDS = {
    "posted": matrix.GIVEN,
    "vf_bandwidth": ("sriov",),
    "poll": ("vhost-net",),
    "suppress": ("vhost-net",),
    "busy_poll": ("virtio-net", "vhost-net", "vhost-user-net"),
    "receive": ("xen-netfront",),
}
"""Fields of an interface, and the techniques that know them."""
MOST_ENTRIES = 32_768  # of a virtqueue, as the specification has it
MOST_DESCRIPTORS = 4_096  # of an e1000's ring

Rows = list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]


def problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong, one sentence each."""
    owners, nics = _owners_of(data), data.get("nic", {})
    if not isinstance(nics, Mapping):
        return
    known = {str(name): nic for name, nic in nics.items() if isinstance(nic, Mapping)}
    yield from _physical(data, known)
    for name, vm, nic in owners:
        device = nic.get("device")
        if isinstance(device, str) and device not in known:
            yield _no_device(name, device, known)
        yield from _interface(name, vm, nic)
        yield from _sizes(name, vm, nic)
    yield from _owners(known, owners)


def follow(nic: dict[str, Any]) -> None:
    """Take out of an interface's table what its technique, a new one, knows nothing of."""
    technique = str(nic.get("technique"))
    queues, most = nic.get("queues"), matrix.queues(technique, "nic")
    if isinstance(queues, int) and 0 < most < queues:
        nic.pop("queues")
    if nic.get("iommu") not in matrix.iommu_modes(technique, "nic"):
        nic.pop("iommu", None)
    for field, legal in FIELDS.items():
        if technique not in legal:
            nic.pop(field, None)


def _no_device(name: str, device: str, known: Mapping[str, Any]) -> str:
    if not known:
        return f"{name}.nic.device must be a table of nic, of which there is none, got {device!r}"
    return f"{name}.nic.device{choice_tail(known, device)}"


def _physical(data: Mapping[str, Any], nics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    host = data.get("host")
    pcpus = host.get("pcpus", 4) if isinstance(host, Mapping) else 4
    for name, nic in nics.items():
        if name in (data.get("device") or {}):
            yield f"nic.{name} must have a name of its own: a device is called that"
        if nic.get("moderation") is not None and nic.get("adaptive") is not None:
            yield f"nic.{name}.adaptive must be left out where moderation is given"
        cpus = nic.get("cpus")
        if isinstance(cpus, list | tuple) and isinstance(pcpus, int):
            for cpu in (one for one in cpus if isinstance(one, int) and one >= pcpus):
                yield f"nic.{name}.cpus must be below host.pcpus ({pcpus}), got {cpu}"


def _interface(name: str, vm: Mapping[str, Any], nic: Mapping[str, Any]) -> Iterator[str]:
    technique, queues, vcpus = nic["technique"], nic.get("queues"), vm.get("vcpus", 1)
    for field, legal in FIELDS.items():
        if nic.get(field) is not None and technique not in legal:
            one = " or ".join(legal)
            yield f"{name}.nic.{field} must be left out unless nic.technique is {one}"
    if isinstance(queues, int) and isinstance(vcpus, int):
        most = matrix.queues(technique, "nic")
        if most and queues > most:
            yield f"{name}.nic.queues must be {most} for {technique}, got {queues}"
        elif queues > vcpus:
            yield f"{name}.nic.queues must be at most vcpus ({vcpus}), got {queues}"
    if nic.get("busy_poll") is not None:
        yield from _busy_poll(name, vm, nic)
    yield from _ring(f"{name}.nic.ring", nic.get("ring"), matrix.ring(technique))
    yield from _modes(name, vm, nic)


def _busy_poll(name: str, vm: Mapping[str, Any], nic: Mapping[str, Any]) -> Iterator[str]:
    """Yield where no process could look at its queue: another's, or in the place of somebody."""
    vcpus, queues = vm.get("vcpus", 1), nic.get("queues")
    most = matrix.queues(str(nic["technique"]), "nic") or vcpus
    if isinstance(vcpus, int) and isinstance(most, int):
        has = min(queues, most) if isinstance(queues, int) else most
        if has < vcpus:
            why = "a process looks at the queue of its own vCPU"
            yield f"{name}.nic.busy_poll must be left out with {has} queues of {vcpus} vcpus: {why}"
    for field in ("halt_poll", "guest_poll"):
        if vm.get(field) is not None:
            why = "one polls for a vCPU at a time here"
            yield f"{name}.{field} must be left out where nic.busy_poll is given: {why}"
    load: Any = vm.get("load")
    sends = isinstance(load, Mapping) and load.get("kind") in ("stream", "packets")
    if sends and load.get("direction", "out") == "out":
        why = "a process that sends does not wait for packets"
        yield f"{name}.nic.busy_poll must be left out where load.direction is out: {why}"


def _ring(name: str, entries: Any, kind: str) -> Iterator[str]:
    """Yield where a ring is of a size that its specification forbids."""
    if not isinstance(entries, int) or entries < 1:
        return
    if kind == "netif":
        why = "its rings are a page each"
        yield f"{name} must be left out under xen-netfront: {why}, got {entries}"
    elif kind == "virtqueue" and (entries > MOST_ENTRIES or entries & (entries - 1)):
        must = f"a power of 2, at most {MOST_ENTRIES}"
        yield f"{name} must be {must}, as a split virtqueue has it, got {entries}"
    elif kind == "e1000" and (entries > MOST_DESCRIPTORS or entries % 8 or entries < 80):
        must = f"a multiple of 8 from 80 to {MOST_DESCRIPTORS}"
        yield f"{name} must be {must}, as an e1000 has it, got {entries}"


def _modes(name: str, vm: Mapping[str, Any], nic: Mapping[str, Any]) -> Iterator[str]:
    """Yield where an IOMMU is used as nobody can, or is needed and not there."""
    technique, mode, guest = nic["technique"], nic.get("iommu"), vm.get("guest", "unmodified")
    legal = matrix.iommu_modes(technique, "nic")
    if mode is None:
        return
    if not legal:
        why = "the host's own driver does its DMA"
        yield f"{name}.nic.iommu must be left out under {technique}: {why}"
    elif isinstance(mode, str) and mode not in legal:
        yield f"{name}.nic.iommu must be one of {', '.join(legal)} under {technique}, got {mode!r}"
    elif technique in matrix.GIVEN and mode == "none" and guest == "unmodified":
        yield (
            f"{name}.nic.iommu must not be none under {technique} with guest unmodified: its "
            "driver gives the NIC guest-physical addresses, which without an IOMMU are taken for "
            "the machine's, so that DMA ends in somebody else's memory"
        )
    elif guest == "ported" and str(mode).startswith("viommu"):
        yield (
            f"{name}.nic.iommu must not be {mode} with guest ported: it knows machine addresses, "
            "and its hypervisor maps by the types of pages; no IOMMU is emulated for it"
        )


def _sizes(name: str, vm: Mapping[str, Any], nic: Mapping[str, Any]) -> Iterator[str]:
    """Yield where data would make a packet above the MTU, and nobody cuts or joins them."""
    load, at = vm.get("load"), f"{name}.load"
    if isinstance(nic.get("load"), Mapping):
        load, at = nic["load"], f"{name}.nic.load"
    if not isinstance(load, Mapping):
        return
    kind, mtu = load.get("kind"), nic.get("mtu", 1500)
    udp = kind == "packets"
    if not isinstance(mtu, int) or mtu < 68:
        return
    most = mtu - HEADERS["udp" if udp else "tcp"]
    for field, out in _directions(load):
        size = _bytes(load.get(field))
        if size is None:
            continue
        offload = "tso" if out else "gro"
        if size > LARGEST_SEGMENT:
            yield f"{at}.{field} must be at most {LARGEST_SEGMENT}, got {size}"
        elif size > most and udp:
            why = "a datagram is not cut into packets"
            yield f"{at}.{field} must be at most {most}, as nic.mtu is {mtu}: {why}"
        elif size > most and nic.get(offload) is False:
            why = f"no segmentation offload is negotiated (nic.{offload})"
            yield (f"{at}.{field} must be at most {most}, as nic.mtu is {mtu}, got {size}: {why}")


def _directions(load: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the fields of a load that are sizes, and whether the guest sends them."""
    kind, out = load.get("kind"), load.get("direction", "out") == "out"
    if kind in ("rr", "server"):
        yield from (("request", False), ("reply", True))
    elif kind == "stream":
        yield "segment", out
    elif kind == "packets":
        yield "size", out


def _bytes(value: Any) -> int | None:
    try:
        return None if value is None else read_size(value)
    except RefusalError:
        return None


def _owners(nics: Mapping[str, Mapping[str, Any]], vms: Rows) -> Iterator[str]:
    """Yield where a NIC has two owners, or fewer functions and queues than are asked for."""
    for device, nic in nics.items():
        users = [(name, vm, own) for name, vm, own in vms if own.get("device") == device]
        whole = [name for name, _, own in users if own["technique"] == "passthrough"]
        for name, vm, own in users:
            count = vm.get("count", 1)
            if own["technique"] == "passthrough" and isinstance(count, int) and count > 1:
                yield (
                    f"{name}.count must be 1 with nic.technique passthrough, got {count}: a NIC "
                    "has one owner, and sriov is what shares it"
                )
            if whole and name != whole[0]:
                why = f"{whole[0]} has it as a whole, and a NIC has one owner"
                yield f"{name}.nic.device must not be {device}: {why}"
        yield from _functions(device, nic, users)


def _functions(device: str, nic: Mapping[str, Any], users: Rows) -> Iterator[str]:
    asked, vfs, queues = 0, nic.get("vfs"), nic.get("vf_queues")
    for name, vm, own in users:
        if own["technique"] != "sriov":
            continue
        count, wants = vm.get("count", 1), own.get("queues")
        asked += count if isinstance(count, int) else 1
        if isinstance(wants, int) and isinstance(queues, int) and wants > queues:
            most = f"at most nic.{device}.vf_queues ({queues})"
            yield f"{name}.nic.queues must be {most}, got {wants}"
    if asked and vfs is None:
        yield f"nic.{device}.vfs must be given: {asked} virtual functions of it are asked for"
    elif isinstance(vfs, int) and asked > vfs:
        yield f"nic.{device}.vfs must be at least {asked}, as many as VMs with sriov, got {vfs}"


def _owners_of(data: Mapping[str, Any]) -> Rows:
    return [
        (name, vm, vm["nic"])
        for name, vm in vms(data)
        if isinstance(vm.get("nic"), Mapping)
        and vm["nic"].get("technique") in matrix.nic_techniques()
    ]
