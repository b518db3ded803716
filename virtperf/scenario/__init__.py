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
