"""Which systems mean value analysis is exact for, what it says where it is not, and how fast."""

from dataclasses import replace
from time import process_time

import pytest

from tests.systems import system, tandem
from virtperf.assembly import Assembly
from virtperf.dist import Cycle, Deterministic, Exponential, Gamma
from virtperf.path import (
    Bell,
    Choice,
    Join,
    Ringing,
    Spawn,
    Step,
    end,
    give,
    ring,
    serve,
    take,
    work,
)
from virtperf.tables import NONE
from virtperf.theory import bounds, mean_values
from virtperf.theory.formulas import convolution, mm1, mmc
from virtperf.theory.formulas.checks import Centre

NS_PER_S = 1e9
FREE = Bell(name="", to="", rule="always", costs={})
SHORT, LONG = Exponential(1_000.0), Exponential(5_000.0)


def service(station, mean_ns, purpose="", **more):
    cost = Exponential(float(mean_ns))
    return serve(station, cost, station, purpose=purpose or station, **more)


def job(worker, cost, purpose="work"):
    return Step(kind="work", where=worker, cost=cost, account=worker, purpose=purpose)


def at_stations(*path, servers=1, customers=4, think_ns=2_000.0, order=None, **classes):
    """Customers who think and follow `path`, or one of the paths of `classes`, at s and t."""
    assembly = Assembly("stations")
    assembly.station("s", servers)
    assembly.station("t", 1)
    rows = {name: (1.0, (*steps, end())) for name, steps in (classes or {"job": path}).items()}
    think = Exponential(think_ns)
    assembly.source("in", rows, outstanding=customers, think=think, order=order)
    return assembly.system()


def at_worker(*path, customers=4, pcpus=1, tasks=(), to="w", parts=lambda assembly: None, **words):
    """Customers of a worker w, which hands them to a station s."""
    assembly = Assembly("worker", pcpus=pcpus)
    assembly.worker("w", "thread", **words)
    assembly.station("s", 1)
    for task in tasks:
        assembly.task(task, "w")
    parts(assembly)
    whole = path or (job("w", Exponential(700.0)), service("s", 900))
    assembly.source("in", {"job": (1.0, (*whole, end()))}, to=to, outstanding=customers)
    return assembly.system()


def two_sources(*, servers=1, first=SHORT, second=LONG, customers=3):
    assembly = Assembly("two")
    assembly.station("s", servers)
    for name, think in (("a", first), ("b", second)):
        path = (service("s", 800), end())
        assembly.source(name, {"job": (1.0, path)}, outstanding=customers, think=think)
    return assembly.system()


def on_one_pcpu(policy, pcpus, used):
    assembly = Assembly("pinned", pcpus=pcpus, policy=policy)
    for name in "xyz":
        assembly.worker(name, "thread")
    for name in used:
        path = (job(name, Exponential(700.0)), end())
        assembly.source(name, {"job": (1.0, path)}, to=name, outstanding=2, think=Exponential(1e3))
    return assembly.system()


def extra(name):
    return (work("w", 100.0, name),)


A, B = service("s", 200, "a"), service("s", 3_000, "b")

APPROXIMATE = {
    "requests take different times at s": {
        "two classes": lambda: at_stations(one=(A,), two=(B,)),
        "two branches": lambda: at_stations(
            Choice(branches=((1.0, (A,)), (1.0, (B,))), purpose="way")
        ),
        "two visits": lambda: at_stations(A, service("t", 500), B),
    },
    "doorbells, wake-ups and batches cost less under load": {
        "wake": lambda: at_worker(wake=extra("wake")),
        "prologue": lambda: at_worker(prologue=extra("prologue")),
        "epilogue": lambda: at_worker(epilogue=extra("epilogue")),
        "pickup": lambda: at_worker(pickup=extra("pickup")),
    },
    "workers poll before they sleep": {"poll": lambda: at_worker(poll_ns=500.0)},
    "turns are limited": {"batch": lambda: at_worker(batch=2)},
    "pCPUs switch between workers": {
        "switch": lambda: replace(
            made := on_one_pcpu("round-robin", 3, "xyz"), pool=replace(made.pool, switch=1_000)
        ),
    },
    "guests switch between tasks": {
        "slice": lambda: at_worker(tasks=("w1",), slice_ns=200.0),
        "switch": lambda: at_worker(tasks=("w1",), switch=extra("switch")),
    },
    "workers share pCPUs": {
        "pool": lambda: on_one_pcpu("round-robin", 2, "xyz"),
        "pin": lambda: on_one_pcpu("pinned", 2, "xz"),
    },
    "workers wait for stations": {
        hold: lambda hold=hold: at_worker(
            job("w", Exponential(700.0)), service("s", 900, hold=hold)
        )
        for hold in ("block", "spin")
    },
    "requests wait for the end of their batch": {
        "defer": lambda: at_worker(job("w", Exponential(7.0)), service("s", 9, hold="defer")),
    },
    "a request takes the same random time twice": {
        "purpose": lambda: at_stations(service("s", 500, "x"), service("t", 500, "x")),
    },
    "classes take turns in in": {
        "order": lambda: at_stations(
            one=(service("s", 500),), two=(service("t", 500),), order=[0, 1]
        ),
    },
    "what a request finds is estimated (Schweitzer)": {
        "many": lambda: two_sources(customers=1_000),
    },
    "several servers under several classes are approximated": {
        "thinks": lambda: two_sources(servers=2),
    },
    "think times depend on each other in a": {
        "cycle": lambda: two_sources(first=Cycle((1.0, 2_000.0))),
    },
    "service times are not exponential at s": {
        "gamma": lambda: at_stations(serve("s", Gamma(500.0, 2.0), "s", purpose="s")),
    },
    "moderation delays signals": {
        "timer": lambda: moderated(timer=2_000.0),
    },
    "requests have side paths": {
        "spawn": lambda: with_side(1_000.0),
    },
    "requests may be dropped or fail": {
        "take": lambda: dropping(),
    },
}
CASES = [
    pytest.param(says, make, id=f"{says}: {name}")
    for says, cases in APPROXIMATE.items()
    for name, make in cases.items()
]


def moderated(*, timer, count=0, debt_ns=0.0, gap_ns=2_000.0):
    assembly = Assembly("moderated")
    assembly.worker("w", "thread")
    assembly.station("s", 10_000)
    costs = {"asleep": Ringing(target=(work("w", debt_ns, "told"),))} if debt_ns else {}
    bell = Bell(name="", to="", rule="moderated", costs=costs, timer=timer, count=count)
    assembly.bell("irq", bell, to="w", sender="")
    path = (service("s", 500), ring("irq"), end())
    assembly.source("in", {"job": (1.0, path)}, gap=Exponential(gap_ns))
    return assembly.system()


def with_side(side_ns, *, think_ns=5_000.0):
    assembly = Assembly("side")
    assembly.worker("w", "thread")
    assembly.station("s", 1)
    assembly.station("t", 1)
    side = Spawn(name="aside", path=(serve("t", Deterministic(side_ns), "t"), end()))
    path = (job("w", Exponential(500.0)), side, service("s", 1_000), end())
    think = Exponential(think_ns)
    assembly.source("in", {"job": (1.0, path)}, to="w", outstanding=1, think=think)
    return assembly.system()


def dropping():
    assembly = Assembly("drops")
    assembly.station("s", 1)
    assembly.credit("places", 2, called="places")
    way = take("places", otherwise=(end("dropped"),))
    path = (way, service("s", 500), give("places"), end())
    assembly.source("in", {"job": (1.0, path)}, gap=Exponential(1_000.0))
    return assembly.system()


# -- when it is exact -----------------------------------------------------------------------


@pytest.mark.parametrize(("says", "make"), CASES)
def test_what_has_no_product_form_is_approximate_and_says_why(says, make):
    found = mean_values(make())

    assert not found.exact
    assert says in found.because


def test_the_systems_of_which_these_are_spoilt_are_exact():
    assert mean_values(at_stations(service("s", 500), service("t", 500))).because == ()
    assert mean_values(on_one_pcpu("pinned", 3, "xyz")).because == ()
    assert mean_values(two_sources()).because == ()


def bells_of(**costs):
    """A second worker on a pCPU of its own, behind a doorbell."""

    def parts(assembly):
        assembly.worker("v", "thread")
        bell = Bell(name="", to="", rule="event-index", costs=costs)
        assembly.bell("next", bell, to="v", sender="w")

    path = (job("w", Exponential(700.0)), ring("next"), job("v", Exponential(900.0), "more"))
    return at_worker(*path, parts=parts, pcpus=2)


def test_work_and_then_a_station_is_two_exponential_services():
    expected = convolution(4, 0.0, [Centre(700.0), Centre(900.0)])
    found = mean_values(at_worker())

    assert found.exact
    assert found.latency_ns == pytest.approx(expected.responses[0])


def test_a_doorbell_that_costs_nothing_does_no_harm_and_one_that_does_is_named():
    assert mean_values(bells_of()).exact
    assert mean_values(bells_of()).latency_ns == pytest.approx(mean_values(at_worker()).latency_ns)
    assert not mean_values(bells_of(asleep=Ringing(delay=5.0))).exact
    assert not mean_values(bells_of(pending=Ringing(target=(work("v", 5.0, "told"),)))).exact


def test_a_server_for_each_customer_may_serve_as_it_likes():
    constant = serve("s", Deterministic(900.0), "s")
    one, two = (constant, service("t", 300)), (service("s", 90, "short"), service("t", 300))
    found = mean_values(at_stations(servers=4, one=one, two=two))

    assert found.exact
    assert found.latency_ns == pytest.approx(
        convolution(4, 2_000.0 + (900 + 90) / 2, [Centre(300.0)]).responses[0] + (900 + 90) / 2
    )


def test_a_lone_customer_meets_nobody():
    constant = serve("s", Deterministic(900.0), "s")
    found = mean_values(at_stations(constant, service("t", 200), B, customers=1))

    assert found.exact
    assert found.latency_ns == pytest.approx(900.0 + 200.0 + 3_000.0)


def test_open_sources_of_equal_means_at_several_servers_are_a_jackson_network():
    assembly = Assembly("open")
    assembly.station("s", 3)
    assembly.station("t", 1)
    both, one = (service("s", 2_400), service("t", 700), end()), (service("s", 2_400), end())
    for name, path in (("a", both), ("b", one)):
        assembly.source(name, {"job": (1.0, path)}, gap=Exponential(2_500.0))
    found = mean_values(assembly.system())

    assert found.exact
    stays = mmc(2 / 2_500.0, 2_400.0, 3) + mm1(1 / 2_500.0, 700.0) / 2
    assert found.latency_ns == pytest.approx(stays)


def test_a_mixed_network_has_its_formula():
    """Lazowska et al., section 7.4: closed ones see a slower server, open ones what is left."""
    assembly = Assembly("mixed")
    assembly.station("s", 1)
    path = (service("s", 1_000), end())
    assembly.source("open", {"job": (1.0, path)}, gap=Exponential(2_000.0))
    assembly.source("closed", {"job": (1.0, path)}, outstanding=1, think=Exponential(3_000.0))
    found = mean_values(assembly.system())

    closed = 1 / (3_000.0 + 2_000.0)
    stays = 2_000.0 * (1 + closed * 2_000.0)
    total = closed + 1 / 2_000.0
    assert found.exact
    assert found.throughput_per_s == pytest.approx(total * NS_PER_S)
    assert found.latency_ns == pytest.approx((closed * 2_000.0 + stays / 2_000.0) / total)


def test_open_sources_that_bring_too_much_have_no_mean_values():
    assembly = Assembly("full")
    assembly.station("s", 1)
    assembly.source("in", {"job": (1.0, (service("s", 1_000), end()))}, gap=Exponential(900.0))
    assert mean_values(assembly.system()) is None


# -- where it is not ------------------------------------------------------------------------


@pytest.mark.parametrize("servers", [1, 2, 4])
def test_all_who_do_not_think_are_in_a_queue(servers):
    """Also the part of several servers' demand for which nobody waits."""
    found = mean_values(two_sources(servers=servers))
    rate = found.throughput_per_s / NS_PER_S

    assert found.queue["s"] == pytest.approx(rate * found.latency_ns)


@pytest.mark.parametrize("disk", ["emulated-ide", "virtio"])
@pytest.mark.parametrize("outstanding", [4, 32])
def test_mean_values_keep_the_bound_of_their_row(disk, outstanding):
    built = system(disk, outstanding=outstanding)
    found, bound = mean_values(built), bounds(built)

    assert found.throughput_per_s <= bound.throughput_upper_per_s * (1 + 1e-6)
    assert found.latency_ns >= bound.latency_lower_ns * (1 - 1e-6)
    rate = found.throughput_per_s / NS_PER_S
    assert rate * found.latency_ns == pytest.approx(outstanding, rel=1e-5)


def test_what_has_capped_it_is_named():
    found = mean_values(system("emulated-ide", outstanding=32))
    assert any(
        says.startswith("capped at guest") or "capped at web" in says for says in found.because
    )


def test_load_saves_wake_ups_but_a_lone_request_pays_for_all():
    """A wake-up of 1,000 ns before work of 1,000: less and less of it as more customers come."""
    path = (job("w", Exponential(1_000.0)),)
    alone, many = (
        mean_values(at_worker(*path, customers=n, wake=(work("w", 1_000.0, "wake"),)))
        for n in (1, 50)
    )
    assert alone.latency_ns == pytest.approx(2_000.0)
    assert many.throughput_per_s == pytest.approx(NS_PER_S / 1_000.0, rel=0.03)


def threads(*, pcpus, threads=4, customers=20, think_ns=0.0, wake=()):
    """As many threads, each with customers of its own and 1,000 ns of work for them."""
    assembly = Assembly("crowd", pcpus=pcpus)
    for k in range(threads):
        assembly.worker(f"w{k}", "thread", wake=tuple(work(f"w{k}", ns, "wake") for ns in wake))
        path = (job(f"w{k}", Exponential(1_000.0)), end())
        words = {"outstanding": customers, "think": Exponential(think_ns)}
        assembly.source(f"in{k}", {"job": (1.0, path)}, to=f"w{k}", **words)
    return mean_values(assembly.system())


def test_workers_share_what_pcpus_there_are():
    assert threads(pcpus=2).throughput_per_s == pytest.approx(2 * NS_PER_S / 1_000.0, rel=1e-4)
    few, some, enough = (
        threads(pcpus=pcpus, customers=1, think_ns=1_000.0).latency_ns for pcpus in (1, 2, 4)
    )
    assert few > some > enough == pytest.approx(1_000.0)


def test_a_worker_that_waits_for_a_pcpu_is_not_idle():
    """Nobody sleeps in a crowd, though each runs half of the time: no wake-ups of 1,000 ns."""
    found = threads(pcpus=1, threads=2, wake=(1_000.0,))
    assert found.throughput_per_s == pytest.approx(NS_PER_S / 1_000.0, rel=0.05)


def test_a_lone_request_does_not_compete_with_itself():
    def parts(assembly):
        assembly.worker("v", "thread")
        assembly.bell("next", FREE, to="v", sender="w")

    path = (job("w", Exponential(700.0)), ring("next"), job("v", Exponential(900.0), "more"))
    one, two = (
        mean_values(at_worker(*path, parts=parts, customers=1, pcpus=pcpus)) for pcpus in (1, 2)
    )
    assert one.latency_ns == two.latency_ns == pytest.approx(1_600.0)


def test_side_paths_are_nobodys_latency_and_are_said_to_pile_up():
    light, heavy = mean_values(with_side(1_000.0)), mean_values(with_side(9_000.0))

    assert light.latency_ns == heavy.latency_ns == pytest.approx(1_500.0)
    assert light.utilization["t"] == pytest.approx(1_000.0 / 6_500.0)
    assert not any("pile up" in says for says in light.because)
    assert "side paths pile up at t" in heavy.because


def test_a_class_that_takes_no_time_has_finite_mean_values():
    assembly = Assembly("nothing")
    assembly.station("s", 1)
    think = Exponential(1.0)
    assembly.source("none", {"job": (1.0, (end(),))}, outstanding=2, think=think)
    assembly.source("some", {"job": (1.0, (service("s", 500), end()))}, outstanding=2)
    built = assembly.system()
    first, second = built.sources
    found = mean_values(replace(built, sources=(replace(first, think=NONE), second)))

    assert found.utilization["s"] == pytest.approx(1.0)
    assert found.throughput_per_s < float("inf")


# -- moderation -----------------------------------------------------------------------------


def test_a_count_of_one_delays_nothing():
    assert mean_values(moderated(timer=5e4, count=1)).latency_ns == pytest.approx(500.0)


def test_a_timer_delays_the_later_entries_less():
    """rate T = 1: T (1 + 1/2) / (1 + 1)."""
    found = mean_values(moderated(timer=2_000.0))
    assert found.latency_ns == pytest.approx(500.0 + 1_500.0)
    assert (found.rates, found.how) == ({"irq": pytest.approx(0.5)}, "formula")


def test_signals_cost_as_often_as_they_are_sent():
    """Interrupts of 400 ns at 1 / 2,000 ns, half of the entries signalled: a load of a tenth."""
    often, seldom = (
        mean_values(moderated(timer=timer, count=count, debt_ns=400.0))
        for timer, count in ((2_000.0, 1), (2_000.0, 0))
    )
    assert often.utilization["w"] == pytest.approx(2 * seldom.utilization["w"], rel=0.1)


# -- many sources ---------------------------------------------------------------------------


def many(*, sources, customers, stations, own=False, think=lambda k: 1_000.0):
    assembly = Assembly("many")
    for k in range(stations):
        assembly.station(f"s{k}", 1)
    shared = tuple(service(f"s{k}", 100 + 10 * k) for k in range(stations))
    for k in range(sources):
        path = shared
        if own:
            assembly.station(f"own{k}", 1)
            path = (service(f"own{k}", 500, "own"), *shared)
        classes = {"job": (1.0, (*path, end()))}
        assembly.source(f"l{k}", classes, outstanding=customers, think=Exponential(think(k)))
    return assembly.system()


def test_equal_sources_are_one():
    one = many(sources=1, customers=12, stations=2)
    six = many(sources=6, customers=2, stations=2)
    assert mean_values(six) == mean_values(one)
    assert mean_values(six).exact


def test_a_hundred_unequal_sources_are_no_burden():
    """32 customers each, at three shared stations and one of their own: under a second at worst."""
    system = many(sources=100, customers=32, stations=3, own=True, think=lambda k: 1_000.0 + k)
    started = process_time()
    mean_values(system)
    assert process_time() - started < 1.0  # 0.1 s on a slow core, 4.7 s before sums were hoisted


def test_a_hundred_equal_reasons_are_one():
    found = mean_values(system("virtio", vms=20, outstanding=4))
    assert len(found.because) == len(set(found.because)) < 15
    assert any(says.endswith(" and 19 more") for says in found.because)


def test_credits_that_are_enough_for_their_own_source_are_not_waited_for():
    """Each of sixteen VMs has a ring for its own 32 requests, if not for those of the others."""
    found = mean_values(system("virtio", vms=16, outstanding=32))
    assert not any("requests wait for web" in says for says in found.because)


def test_a_tandem_of_the_library_is_exact():
    assert mean_values(tandem(1_000.0, 700.0, customers=4)).exact


def test_joins_are_side_paths():
    def parts(assembly):
        assembly.worker("v", "thread")
        assembly.bell("ask", FREE, to="v", sender="w")

    answers = ((ring("ask"), job("v", Exponential(100.0), "answer"), end()),)
    path = (job("w", Exponential(700.0)), Join(name="answers", paths=answers, account="wait"))
    assert "requests have side paths" in mean_values(at_worker(*path, parts=parts, pcpus=2)).because
