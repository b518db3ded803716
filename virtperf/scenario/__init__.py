"""Scenario files: platform, techniques, guests and load as frozen, validated data."""

from virtperf.scenario.loads import ClosedLoad, OpenLoad, Section, TraceLoad, WorkLoad
from virtperf.scenario.model import Scenario
from virtperf.scenario.network import (
    Interface,
    NetLoad,
    Nic,
    PacketLoad,
    RrLoad,
    ServerLoad,
    StreamLoad,
)
from virtperf.scenario.parts import (
    Cpu,
    Device,
    Disk,
    GuestPoll,
    HaltPoll,
    Host,
    Memory,
    Moderation,
    OnDisk,
    PauseExits,
    RunPlan,
    Tick,
    Vm,
)
from virtperf.scenario.split import Dom0

__all__ = [
    "ClosedLoad",
    "Cpu",
    "Device",
    "Disk",
    "Dom0",
    "GuestPoll",
    "HaltPoll",
    "Host",
    "Interface",
    "Memory",
    "Moderation",
    "NetLoad",
    "Nic",
    "OnDisk",
    "OpenLoad",
    "PacketLoad",
    "PauseExits",
    "RrLoad",
    "RunPlan",
    "Scenario",
    "Section",
    "ServerLoad",
    "StreamLoad",
    "Tick",
    "TraceLoad",
    "Vm",
    "WorkLoad",
]
