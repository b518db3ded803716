"""Scenario files: platform, techniques, guests and load as frozen, validated data."""

from virtperf.scenario.model import Scenario
from virtperf.scenario.parts import (
    ClosedLoad,
    Cpu,
    Device,
    Disk,
    GuestPoll,
    HaltPoll,
    Host,
    Memory,
    Moderation,
    OpenLoad,
    PauseExits,
    RunPlan,
    Section,
    Tick,
    TraceLoad,
    Vm,
    WorkLoad,
)

__all__ = [
    "ClosedLoad",
    "Cpu",
    "Device",
    "Disk",
    "GuestPoll",
    "HaltPoll",
    "Host",
    "Memory",
    "Moderation",
    "OpenLoad",
    "PauseExits",
    "RunPlan",
    "Scenario",
    "Section",
    "Tick",
    "TraceLoad",
    "Vm",
    "WorkLoad",
]
