"""What a scenario says of its host's scheduler: read, checked, built."""

import pytest

from virtperf import catalog
from virtperf.build import build, sources
from virtperf.errors import ScenarioError
from virtperf.scenario import Scenario
from virtperf.tables import Policy

MS = 10**9  # ticks


def scenario(host: dict | None = None, **vm) -> Scenario:
    load = {"kind": "work", "workload": "compute-bound"}
    first = {"name": "a", "cpu": {"technique": "hardware"}, "load": load}
    host = {"pcpus": 4, "policy": "credit"} | (host or {})
    return Scenario.from_dict({"platform": "toy", "host": host, "vm": [first | vm]})


def problems(host: dict | None = None, **vm) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        scenario(host, **vm)
    return list(caught.value.problems)


def test_a_policy_brings_its_constants_with_their_sources():
    built, used = build(scenario()), sources(scenario())
    assert built.pool.policy == Policy.CREDIT
    assert (built.pool.slice, built.pool.tick, built.pool.period) == (30 * MS, 10 * MS, 30 * MS)
    assert dict(built.pool.constants) == {"ratelimit": MS, "balance_every": MS, "sampled": 0}
    assert used["credit.ratelimit"].source.startswith("xen-credit")
    assert built.workers[0].weight == 256


def test_a_scenario_may_change_them():
    built = build(scenario({"scheduler": {"ratelimit": "200us", "sampled": 1}, "slice": "6ms"}))
    assert dict(built.pool.constants) == {"ratelimit": MS // 5, "balance_every": MS, "sampled": 1}
    assert (built.pool.slice, built.pool.tick, built.pool.period) == (6 * MS, 2 * MS, 6 * MS)


@pytest.mark.parametrize(("pcpus", "stretch"), [(1, 1), (2, 2), (4, 3), (8, 4), (64, 4)])
def test_linux_stretches_its_slices_with_the_number_of_cpus(pcpus, stretch):
    built = build(scenario({"policy": "cfs", "pcpus": pcpus}))
    constants = dict(built.pool.constants)
    assert constants["latency"] == 6 * MS * stretch
    assert constants["wakeup_granularity"] == MS * stretch
    assert constants["bandwidth_slice"] == 5 * MS
    assert dict(build(scenario({"policy": "eevdf", "pcpus": pcpus})).pool.constants)[
        "base_slice"
    ] == round(0.7 * MS * stretch)


@pytest.mark.parametrize(
    ("policy", "name"), [("cfs", "latency"), ("eevdf", "base_slice"), ("credit2", "max_runtime")]
)
def test_a_slice_is_what_a_policy_calls_so(policy, name):
    built = build(scenario({"policy": policy, "slice": "9ms"}))
    assert dict(built.pool.constants)[name] == 9 * MS


def test_shares_are_those_of_each_copy():
    built = build(scenario(count=2, vcpus=2, weight=512, cap=0.25, affinity=[3, 1, 3]))
    assert {row.weight for row in built.workers} == {512}
    assert {row.cap for row in built.workers} == {250}
    assert {row.affinity for row in built.workers} == {(1, 3)}
    assert [row.domain for row in built.workers] == [0, 0, 1, 1]


def test_host_threads_share_the_weight_but_neither_the_cap_nor_the_affinity():
    table = Scenario.load("first-light").with_("vm.disk", "virtio").to_dict()
    vm = table["vm"][0] | {"weight": 300, "cap": 0.5, "thread_affinity": [2]}
    host = table["host"] | {"policy": "credit"}
    built = build(Scenario.from_dict(table | {"vm": [vm], "host": host}))
    vcpu, *threads = built.workers
    assert (vcpu.cap, vcpu.affinity) == (500, ())
    assert threads
    assert all((row.weight, row.cap, row.affinity) == (300, 0, (2,)) for row in threads)


@pytest.mark.parametrize(
    ("host", "vm", "says"),
    [
        ({}, {"weight": 0}, "vm[0].weight must be at least 1, got 0"),
        ({}, {"weight": -3}, "vm[0].weight must be at least 1, got -3"),
        ({}, {"cap": 0}, "vm[0].cap must be above 0, got 0"),
        ({}, {"cap": 1.5}, "vm[0].cap must be at most vcpus (1), which cannot use more, got 1.5"),
        ({}, {"affinity": [4]}, "vm[0].affinity must name pCPUs below host.pcpus (4), got 4"),
        ({"slice": 0}, {}, "host.slice must be above 0, got 0"),
        ({"policy": "fifo"}, {}, "host.policy must be one of round-robin, pinned, cfs, credit"),
        (
            {"scheduler": {"ratelimt": "1ms"}},
            {},
            "host.scheduler.ratelimt must be one of tick, period, ratelimit, balance_every, "
            "sampled, got 'ratelimt'; did you mean ratelimit?",
        ),
        (
            {"policy": "pinned", "scheduler": {"tick": "1ms"}},
            {},
            "host.scheduler.tick must be left out: pinned has no constants",
        ),
        (
            {"policy": "gang"},
            {"vcpus": 5},
            "vm[0].vcpus must be at most host.pcpus (4) under gang, which runs them together, "
            "got 5",
        ),
        ({"policy": "gang"}, {"cap": 0.5}, "vm[0].cap must be left out under gang"),
        (
            {"policy": "round-robin"},
            {"weight": 2},
            "vm[0].weight must be left out under round-robin, which heeds none",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(host, vm, says):
    assert any(problem.startswith(says) for problem in problems(host, **vm))


def test_all_problems_come_at_once():
    found = problems({"scheduler": {"tick": 0}}, cap=2, affinity=[9], weight=70_000)
    assert len(found) == 4


def test_every_scheduler_has_sources_and_is_listed():
    for name in catalog.names("schedulers"):
        numbers = catalog.scheduler(name)
        assert numbers.title
        assert {"slice", "weight"} <= set(numbers)
    assert catalog.policies()[:2] == ("round-robin", "pinned")
