"""Small systems that nobody thought of, on every block path: nothing is lost."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systems import DISKS, SLEEPLESS
from virtperf import fast
from virtperf.build import build
from virtperf.scenario import Scenario
from virtperf.technique import matrix

pytestmark = pytest.mark.property
PATHS = [disk for disk in DISKS if disk != "native"]


# Generated systems run on the compiled engine: `test_fast_is_sim` holds the other one equal.
@settings(max_examples=60, deadline=None)
@given(
    disk=st.sampled_from(PATHS),
    vcpus=st.integers(1, 3),
    pcpus=st.integers(1, 6),
    queues=st.integers(1, 3),
    threads=st.integers(1, 3),
    depth=st.sampled_from([1, 2, 7, 40]),
    service=st.sampled_from(["0us", "3us", "80us"]),
    poll=st.sampled_from([None, "0us", "20us"]),
    seed=st.integers(0, 1_000),
)
def test_every_request_completes_and_nobody_is_told_more_often_than_there_is_news(
    disk, vcpus, pcpus, queues, threads, depth, service, poll, seed
):
    """A wake-up that is lost would leave the run with nothing to happen, which is an error."""
    queues = min(queues, vcpus, matrix.queues(disk) or vcpus)
    path: dict[str, Any] = {"technique": disk, "device": "d", "queues": queues}
    if field := matrix.threads(disk):
        path[field] = min(threads, queues)
    if matrix.polls(disk) and poll is not None:
        path["poll"] = poll
    vm = {
        "name": "guest",
        "vcpus": vcpus,
        "cpu": {"technique": "hardware"},
        "disk": path,
        "load": {"kind": "closed", "jobs": vcpus, "outstanding": depth},
    }
    device = {"channels": 3, "service": {"kind": "deterministic", "value": service}}
    host = {"pcpus": pcpus + (disk in SLEEPLESS), "slice": "100us"}
    data = {"platform": "x86-kvm-2020", "host": host, "vm": [vm], "device": {"d": device}}
    built = build(Scenario.from_dict(data, name="small"))
    requests = 400
    last = fast.run(built, seed=seed, replication=0, requests=requests).snapshots[-1]
    counts = dict(zip(built.counters, last.counters, strict=True))

    assert sum(last.completed) >= requests  # some may end at one instant
    most = requests + vcpus * depth  # with those under way
    assert counts.get("kicks", 0) <= most
    assert counts["interrupts"] <= most
