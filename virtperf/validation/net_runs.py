"""How predictions about networks are made: suppressed kicks, transactions, many functions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from virtperf import catalog
from virtperf.params import ParameterSet, Quantity
from virtperf.validation.claim import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtperf.result import Result
    from virtperf.scenario import Scenario
    from virtperf.tables import Snapshot, System
    from virtperf.validation.given import Given

SERVER, NO_APICV = "x86-kvm-2020", "zen1-kvm-guest"
PACKETS = 20_000  # of a sender that never thinks: nothing is drawn, so one run says it all
ALL_PACKETS = 150_000  # of all virtual functions together
NS_PER_S = 1e9
KEPT = ("slice", "apicv", "vpid", "copy_bandwidth")
"""Numbers of the platform that are there where nothing else takes time."""


def network(
    platform: str, nic: Mapping[str, Any], load: Mapping[str, Any], **more: Any
) -> Scenario:
    """Return VMs on one NIC; `more` is of the NIC, of the VMs (`count`) and of the host."""
    from virtperf.scenario import Scenario
    from virtperf.technique import matrix

    vm = {
        "name": "guest",
        "count": more.pop("count", 1),
        "cpu": {"technique": matrix.default_cpu(str(nic["technique"]), "nic")},
        "nic": {"device": "eth", **nic},
        "load": dict(load),
    }
    host = {"pcpus": more.pop("pcpus", 4)}
    data = {"platform": platform, "host": host, "vm": [vm], "nic": {"eth": more}}
    return Scenario.from_dict(data, name="network")


# -- kicks --------------------------------------------------------------------------------------


def _sender(given: Given, suppress: bool) -> Scenario:
    """Return a guest that sends datagrams to a worker that polls; the NIC's line is no limit."""
    return network(
        SERVER,
        {"technique": "vhost-net", "poll": given["makita18.poll"], "suppress": suppress},
        {
            "kind": "packets",
            "size": given.count("makita18.size"),
            "outstanding": given.count("makita18.outstanding"),
        },
        rate=given["makita18.line"],
        cpus=[3],
    )


def kicks(suppress: bool, given: Given) -> Estimate:
    """Return the kicks per packet."""
    system = given.system(_sender(given, suppress))
    last = _ran(system)
    counts = dict(zip(system.counters, last.counters, strict=True))
    return Estimate(counts["kicks"] / sum(last.completed))


def sent(suppress: bool, given: Given) -> Estimate:
    """Return what is sent, in B/s."""
    return _rate(given, given.system(_sender(given, suppress)))


def fitted(given: Given) -> Estimate:
    """Return what is sent where a kick takes what the published figures imply, in B/s."""
    from virtperf.build import build

    scenario = _sender(given, suppress=False)
    given.system(scenario)
    own = catalog.platform(SERVER)
    kick = _ns(given["makita18.kick"] - own.ns("eventfd_signal") - own.ns("exit_hardware"))
    return _rate(given, build(scenario, own.replace(exit_kernel=kick)))


def _rate(given: Given, system: System) -> Estimate:
    from virtperf.units import TICKS_PER_NS

    last = _ran(system)
    sent = sum(last.completed) * given.count("makita18.size")
    return Estimate(sent / last.time * TICKS_PER_NS * NS_PER_S)


def _ran(system: System) -> Snapshot:
    """Return what a run of the whole has seen, its first packets included."""
    from virtperf.fast import run

    return run(system, seed=1, replication=0, requests=PACKETS).snapshots[-1]


# -- transactions -------------------------------------------------------------------------------


def only(given: Given, **ns: float) -> ParameterSet:
    """Return a platform on which nothing takes time but what is named."""
    numbers = catalog.platform(SERVER)
    for key in KEPT:
        given[f"{SERVER}.{key}"]  # which the claim declares
    free = {
        key: replace(quantity, value=0.0, low=None, high=None)
        for key, quantity in numbers.items()
        if quantity.dimension in ("duration", "cycles") and key not in KEPT
    }
    return numbers.replace(**free | {key: _ns(value) for key, value in ns.items()})


def transactions(given: Given, technique: str, think: float, **ns: float) -> Estimate:
    """Return the rate of one transaction after another, of a byte each way.

    `think` is all that happens between a reply and the next request; the rest is the path, whose
    parts are named in `ns`.
    """
    from virtperf.build import build
    from virtperf.theory import zero_load
    from virtperf.units import TICKS_PER_NS

    load = {"kind": "rr", "request": 1, "reply": 1, "think": think}
    scenario = network(SERVER, {"technique": technique}, load, rate=given["dall16.line"], cpus=[3])
    latency = zero_load(build(scenario, only(given, **ns))).latency / TICKS_PER_NS
    return Estimate(NS_PER_S / (think + latency))


def native(given: Given) -> Estimate:
    """Return native transactions a second."""
    inside = given["dall16.inside.native"]
    return transactions(given, "native", given["dall16.between.native"], net_receive=inside)


def crossings(given: Given) -> dict[str, float]:
    """Return what a kick and a wake-up of the guest take, as numbers of a platform, in ns.

    Out: from the driver's kick to the back end. In: from the back end's signal to the guest's
    interrupt, which ends a halt; the model has the exit in both.
    """
    out, into = (given[f"dall16.{way}.kvm"] / given["dall16.frequency"] for way in ("out", "in"))
    return {"exit_kernel": out * NS_PER_S, "exit_blocking": (into - out) * NS_PER_S}


def kvm(given: Given) -> Estimate:
    """Return transactions a second through vhost, its segments given."""
    cross = crossings(given)
    inward = given["dall16.inward.kvm"] - cross["exit_kernel"] - cross["exit_blocking"]
    return transactions(
        given,
        "vhost-net",
        given["dall16.between.kvm"],
        net_receive=given["dall16.inside.kvm"],
        host_receive=inward,
        host_forward=given["dall16.outward.kvm"] - cross["exit_kernel"],
        **cross,
    )


def only_crossings(given: Given) -> Estimate:
    """Return transactions a second of native plus the hypervisor's transitions, and no more."""
    return transactions(
        given,
        "vhost-net",
        given["dall16.between.native"],
        net_receive=given["dall16.inside.native"],
        **crossings(given),
    )


# -- a guest that looks for its packets -----------------------------------------------------------


def busily(given: Given) -> Estimate:
    """Return transactions a second of a guest whose process polls, all else as measured without.

    What a transaction without takes beyond the known parts is what its sleep takes: the way into
    the halt and out of it, of a machine that is not named.
    """
    asleep = given.system(_answering(given, None))
    rest = NS_PER_S / given["vnbusy.off"] - given["vnbusy.away"] - _latency(asleep)
    sleep = {"exit_blocking": catalog.platform(SERVER).ns("exit_blocking") + rest}
    polled = given.system(_answering(given, given["vnbusy.poll"]), sleep)
    return Estimate(NS_PER_S / (given["vnbusy.away"] + _latency(polled)))


def _answering(given: Given, busy_poll: float | None) -> Scenario:
    nic = {"technique": "vhost-net", "busy_poll": busy_poll}
    load = {"kind": "rr", "request": 1, "reply": 1, "think": given["vnbusy.away"]}
    return network(SERVER, nic, load, rate=given["vnbusy.line"], cpus=[3])


def _latency(system: System) -> float:
    from virtperf.theory import zero_load
    from virtperf.units import TICKS_PER_NS

    return zero_load(system).latency / TICKS_PER_NS


# -- virtual functions --------------------------------------------------------------------------


def functions(given: Given, vms: int, *, band: bool = False) -> Result:
    """Return the result of so many VMs that share what a line brings."""
    size = given.count("dong10.size")
    load = {
        "kind": "packets",
        "direction": "in",
        "size": size,
        "rate": given["dong10.offered"] / size / vms,
    }
    scenario = network(
        NO_APICV,
        {"technique": "sriov", "posted": False},
        load,
        count=vms,
        pcpus=given.count("dong10.pcpus"),
        rate=given["dong10.line"],
        vfs=given.count("dong10.vfs"),
        moderation={"timer": NS_PER_S / given["dong10.throttle"]},
    )
    return given.simulate(scenario, ALL_PACKETS, band=band)


def carried(given: Given) -> Estimate:
    """Return what goes through the most functions, in B/s."""
    rate, noise = _metric(functions(given, given.count("dong10.many")), "goodput.in")
    return Estimate(rate / 8, noise / 8)


def slope(given: Given) -> Estimate:
    """Return the CPU that a VM more takes at the same load, in parts of a CPU, with its band."""
    few, many = given.count("dong10.few"), given.count("dong10.many")
    each = given.count("dong10.pcpus") / (many - few)
    name = "utilization.host"
    less, more = (functions(given, vms, band=True) for vms in (few, many))
    (low, noise), (high, more_noise) = (_metric(result, name) for result in (less, more))
    middle, before = (high - low) * each, _shifts(less, name)
    ends = [middle + (by - before[corner]) * each for corner, by in _shifts(more, name).items()]
    return Estimate(middle, each * (noise + more_noise), (min(middle, *ends), max(middle, *ends)))


def _metric(result: Result, name: str) -> tuple[float, float]:
    return result.value(result.labels[0], name)


def _shifts(result: Result, name: str) -> dict[str, float]:
    """Return by how much a metric moves with the platform's numbers at each end of their range."""
    rows = result.band[result.band["metric"] == name]
    return dict(zip(rows["corner"], rows["shift"], strict=True))


def _ns(value: float) -> Quantity:
    says = "an input of the claim, which names its source"
    return Quantity(value=value, unit="ns", source=says, evidence="assumed", checked="own")
