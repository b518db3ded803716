"""Schedules worked out by hand, reproduced to the tick. Times in the comments are in us."""

import pytest

from tests.systems import system
from virtperf.assembly import Assembly
from virtperf.path import end, lock, unlock, work
from virtperf.sim import run
from virtperf.tables import Run, System

pytestmark = pytest.mark.golden
US = 1_000_000  # ticks


def schedule(built: System, requests: int) -> tuple[Run, dict[str, float], dict[str, float]]:
    """Return a run, and who had what: the pCPUs' and the finished requests' time in us."""
    result = run(built, seed=1, replication=0, requests=requests)
    last = result.snapshots[-1]
    tables = [
        {
            name: sum(column) / US
            for name, column in zip(built.accounts, zip(*rows, strict=True), strict=True)
            if any(column)
        }
        for rows in (last.cpu, last.requests)
    ]
    return result, *tables


def test_one_request_at_a_time_through_virtio():
    """Toy: an exit is 2, HLT 4, a kick 2 + 1, wake-up 2 + 2 of CPU, a switch 1, the device 20.

    Both threads live on pCPU 0: at each wake-up it is idle, and the lowest.

      vCPU      0-4 HLT | 4-5 user | 5-7 kernel | 7-9 exit kick | 9-10 eventfd | sleeps
      I/O       12 told, 12-13 switch | 13-15 wake-up | 15-16 pop | 16-18 submit | sleeps
      device    18-38
      I/O       40 told, no switch | 40-42 wake-up | 42-44 host | 44-45 virtio | 45-46 eventfd
      vCPU      48 told, 48-49 switch | 49-53 HLT | 53-55 kernel, end
      vCPU      55 next request, no wake-up: 55-56 user ... 61 kick is over, then as above
    """
    built = system("virtio", pcpus=4, poll="0us")
    result, cpus, requests = schedule(built, 3)

    assert result.ends == (55 * US, 106 * US, 157 * US)
    assert requests == {
        "vcpu: exit hlt": 16,
        "vcpu: guest user": 3,
        "vcpu: guest kernel": 12,
        "vcpu: exit kick": 6,
        "vcpu: eventfd": 3,
        "wait: wake-up of iothread": 12,
        "wait: switch to iothread": 3,
        "iothread: wake-up": 12,
        "iothread: virtio": 6,
        "iothread: host I/O": 12,
        "device": 60,
        "iothread: eventfd": 3,
        "wait: wake-up of vcpu": 6,
        "wait: switch to vcpu": 3,
    }
    busy = {name: ticks for name, ticks in cpus.items() if name != "idle"}
    assert busy == {
        name: ticks for name, ticks in requests.items() if name != "device" and "wait" not in name
    } | {"host: switch": 6}
    assert cpus["idle"] == 4 * 157 - sum(busy.values())


def two_threads() -> Assembly:
    """Return threads a and b on one pCPU: slices of 3, a switch of 1."""
    assembly = Assembly("two", pcpus=1, slice_ns=3_000, switch_ns=1_000)
    for name in ("a", "b"):
        assembly.worker(name, name)
    return assembly


def test_two_threads_share_a_pcpu_in_slices():
    """Work of 5 each, a slice of 3 counts from the dispatch, a switch of 1 is part of it.

    a 0-3 | b 3-4 switch, 4-6 | a 6-7 switch, 7-9 END; its next begins, and the slice ends (tie)
    b 9-10 switch, 10-12 | a 12-13 switch, 13-15 | b 15-16 switch, 16-17 END, next 17-18
    a 18-19 switch, 19-21 | b 21-22 switch, 22-24 | a 24-25 switch, 25-26 END, next 26-27
    b 27-28 switch, 28-30 END
    """
    assembly = two_threads()
    for name in ("a", "b"):
        path = (work(name, 5_000, f"{name}: work"), end())
        assembly.source(f"of {name}", {"job": (1.0, path)}, to=name, outstanding=1)
    result, cpus, requests = schedule(assembly.system(), 4)

    assert result.ends == (9 * US, 17 * US, 26 * US, 30 * US)
    assert result.sums == (9 * US, 17 * US, 17 * US, 13 * US)
    assert cpus == {"a: work": 11, "b: work": 10, "host: switch": 9}
    assert requests == {
        "a: work": 10,
        "b: work": 10,
        "wait: CPU for a": 12,  # 3-6, 9-12, 15-18, 21-24
        "wait: switch to a": 4,
        "wait: CPU for b": 15,  # 0-3, 6-9, 12-15 and 18-21, 24-27
        "wait: switch to b": 5,
    }


def test_a_preempted_holder_still_holds():
    """Each holds the lock for 4 of its work; slices of 3; a waiter sleeps, is woken 2 later.

    a 0-3 holds, preempted | b 3-4 switch, finds it held, blocks at 4
    a 4-5 switch, 5-6 releases (wake-up due at 8) and ends; its next takes the lock again at 6
    a 6-10: nobody waits for the pCPU until 8; since 4 it has had its slice, so it is cut at 8
    b 8-9 switch, finds the lock held again (barging), blocks at 9
    a 9-10 switch, 10-12 releases (wake-up due at 14) and ends
    """
    assembly = two_threads()
    assembly.lock("big", called="big lock", wake_ns=2_000)
    for name in ("a", "b"):
        path = (lock("big"), work(name, 4_000, f"{name}: work"), unlock("big"), end())
        assembly.source(f"of {name}", {"job": (1.0, path)}, to=name, outstanding=1)
    result, cpus, requests = schedule(assembly.system(), 2)

    assert result.ends == (6 * US, 12 * US)
    assert cpus == {"a: work": 8, "host: switch": 4}
    assert requests == {"a: work": 8, "wait: CPU for a": 2, "wait: switch to a": 2}
