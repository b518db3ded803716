"""Scenarios of networks that several tests share, and what a run counts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from virtperf import catalog, fast
from virtperf.build import build
from virtperf.params import ParameterSet
from virtperf.scenario import Scenario
from virtperf.tables import System
from virtperf.technique import matrix

NICS = matrix.nic_techniques()
SERVER = "x86-kvm-2020"
OF_THE_GUEST = (  # and of the NIC; the rest is some path's
    *("net_send", "net_receive", "net_read", "net_segment", "net_acknowledge", "dma_read"),
    *("slice", "frequency", "flush_timeout"),
)
RR = {"kind": "rr", "think": "20us"}


def data(technique: str = "vhost-net", load: Mapping[str, Any] = RR, **words: Any) -> dict:
    """Return the tables of equal VMs on one NIC; `words` as fields of where they belong."""
    vm = {
        "name": "guest",
        "count": words.pop("count", 1),
        "vcpus": words.pop("vcpus", 1),
        "cpu": {"technique": matrix.default_cpu(technique, "nic")},
        "nic": {"technique": technique, "device": "eth0"} | words.pop("nic", {}),
        "load": dict(load),
    }
    host = {"pcpus": words.pop("pcpus", 4)}
    physical = {"rate": "10Gbit/s", "cpus": [host["pcpus"] - 1]} | words.pop("physical", {})
    if technique == "sriov":
        physical.setdefault("vfs", 64)
    platform = words.pop("platform", "toy")
    assert not words, f"no such word: {words}"
    return {"platform": platform, "host": host, "vm": [vm], "nic": {"eth0": physical}}


def net(technique: str = "vhost-net", load: Mapping[str, Any] = RR, **words: Any) -> System:
    """Return `data(technique, load, **words)` built on its platform, or on `numbers`."""
    numbers: ParameterSet | None = words.pop("numbers", None)
    return build(Scenario.from_dict(data(technique, load, **words), name=technique), numbers)


def costless() -> ParameterSet:
    """Return a platform on which only the guest's own stack and the NIC take time."""
    numbers = catalog.platform(SERVER)
    free = {
        key: replace(quantity, value=0.0, low=None, high=None)
        for key, quantity in numbers.items()
        if quantity.dimension in ("duration", "cycles") and key not in OF_THE_GUEST
    }
    return numbers.replace(**free)


class Ran:
    """A run of the compiled engine, in words."""

    def __init__(self, system: System, requests: int = 2000, seed: int = 1) -> None:
        self.run = fast.run(system, seed=seed, replication=0, requests=requests)
        self.last = self.run.snapshots[-1]
        self.done = sum(self.last.completed)
        self.seconds = self.last.time / 1e12
        self.counts = dict(zip(system.counters, self.last.counters, strict=True))
        self.sides = dict(zip(system.sides, self.last.sides, strict=True))

    def per_request(self, counter: str) -> float:
        """Return how often something happens for a request."""
        return self.counts[counter] / self.done

    def per_second(self, counter: str) -> float:
        """Return how often something happens in a second."""
        return self.counts[counter] / self.seconds

    @property
    def lost(self) -> int:
        """Messages that found a ring or a queue full."""
        return sum(count for name, count in self.sides.items() if name.startswith("lost"))

    @property
    def latency(self) -> float:
        """Mean latency in ns."""
        return sum(self.last.residence) / self.done / 1e3
