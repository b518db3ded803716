"""What a scenario says of guests that spin: read, checked, built."""

import pytest

from virtperf.build import build, sources
from virtperf.errors import ScenarioError
from virtperf.scenario import Scenario
from virtperf.tables import Discipline, StationKind, System
from virtperf.theory import demands
from virtperf.theory.product_form import obstacles

US = 10**6  # ticks


def scenario(discipline: str = "ticket", technique: str = "hardware", **vm) -> Scenario:
    table = Scenario.load("lock-holder-preemption").to_dict()
    first = table["vm"][0]
    del first["pause_exits"]
    first |= {"cpu": {"technique": technique}} | vm
    first["load"] |= {"lock": {"discipline": discipline, "hold": "1us"}}
    return Scenario.from_dict(table | {"platform": "toy"})


def vcpu(built: System):
    return next(row for row in built.workers if row.role == "vcpu")


def test_by_default_no_vcpu_exits_because_it_spins():
    row = vcpu(build(scenario()))
    assert (row.pause_window, bool(row.pause), bool(row.kick)) == (0, False, False)


def test_the_window_is_the_platforms_and_the_exit_the_techniques():
    built = build(scenario(pause_exits={}))
    row = vcpu(built)
    (step,) = built.steps[slice(*row.pause)]
    assert (row.pause_window, row.pause_grow, row.directed) == (2 * US, 2, 1)
    assert (built.counters[step.counter], step.masked) == ("exits.pause", 1)
    assert "pause_window" in sources(scenario(pause_exits={}))


def test_a_scenario_may_be_as_xen():
    row = vcpu(build(scenario(pause_exits={"window": "3us", "grow": 1, "directed": False})))
    assert (row.pause_window, row.pause_grow, row.directed) == (3 * US, 1, 0)


def test_a_paravirtual_lock_has_a_threshold_and_its_releaser_a_hypercall():
    built = build(scenario("paravirtual"))
    (lock,) = (row for row in built.stations if row.kind == StationKind.LOCK)
    (step,) = built.steps[slice(*vcpu(built).kick)]
    assert (lock.discipline, lock.spin) == (Discipline.PARAVIRTUAL, 100 * US)
    assert (built.counters[step.counter], step.masked) == ("exits.kick-vcpu", 1)


def test_theory_says_what_it_cannot_see():
    built = build(scenario("paravirtual", pause_exits={}))
    found = obstacles(built, demands(built).most)
    assert "vCPUs that spin exit and give way" in found
    assert "waiters halt, and are kicked, at guest[0].guest lock" in found


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"technique": "direct", "disk": {"technique": "native", "device": "ssd"}}
            | {"pause_exits": {}},
            "vm[0].pause_exits must be left out under direct: "
            "only hardware sees a guest spin (hardware, nested-hardware)",
        ),
        (
            {"technique": "direct", "disk": {"technique": "native", "device": "ssd"}}
            | {"discipline": "paravirtual"},
            "vm[0].load.lock.discipline must be another than paravirtual under direct: "
            "its guests ask no hypervisor for a kick (paravirtual, hardware, nested-hardware)",
        ),
        ({"pause_exits": {"window": 0}}, "vm[0].pause_exits.window must be above 0, got 0"),
        ({"pause_exits": {"grow": 0}}, "vm[0].pause_exits.grow must be at least 1, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(given, says):
    with pytest.raises(ScenarioError) as caught:
        scenario(**given)
    assert says in caught.value.problems
