import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.systems import scenario
from virtperf.errors import ParameterError, SimulationError, UnknownNameError
from virtperf.experiment import compare, engines, observe, replay, simulate, work
from virtperf.experiment.plan import PACE, planned_requests
from virtperf.fast import engine as fast_engine
from virtperf.plot import request_times
from virtperf.report.answer import answer
from virtperf.scenario import Scenario
from virtperf.tables import Histogram, Run, Snapshot
from virtperf.technique import matrix

OPEN = {"kind": "open", "size": "4KiB", "arrivals": "deterministic"}
TINY = {"requests": 400, "replications": 2, "band": False, "executor": work.Serial()}


@pytest.fixture(scope="module")
def toy():
    return Scenario.load("toy")


@pytest.fixture(scope="module")
def disks(toy):
    return compare(toy, "vm.disk", **TINY)


# -- warm-up and metrics, on made-up runs ------------------------------------------------------


def snapshot(n, *, time, residence):
    return Snapshot(
        time=time,
        completed=(n,),
        residence=(residence,),
        in_system=residence,
        counters=(2 * n,),
        cpu=((time // 2, time - time // 2),),
        requests=((residence, 0),),
        busy=(time // 4,),
        queued=(0,),
    )


def made_up_run(latencies, batch=10):
    """A run in which request after request is finished, alone."""
    sums = [sum(latencies[i : i + batch]) for i in range(0, len(latencies), batch)]
    snapshots, histograms, done = [snapshot(0, time=0, residence=0)], [], 0
    for first in range(0, len(latencies), 4 * batch):
        part = latencies[first : first + 4 * batch]
        done += sum(part)
        snapshots.append(snapshot(first + len(part), time=done, residence=done))
        histogram = Histogram()
        for latency in part:
            histogram.add(latency)
        histograms.append((histogram,))
    return Run(
        ends=tuple(range(len(sums))),
        sums=tuple(sums),
        batch=batch,
        snapshots=tuple(snapshots),
        histograms=tuple(histograms),
        wakes=((),) * len(histograms),
        in_flight=0,
        events=0,
        engine="made up",
    )


SYSTEM = SimpleNamespace(
    groups=("read",),
    accounts=("idle", "vcpu: guest"),
    counters=("exits.io",),
    sides=(),
    wakes=(),
    workers=(),
    stations=(SimpleNamespace(name="disk", kind=0, servers=1),),
    pool=SimpleNamespace(pcpus=1, idling={0}),
)


def test_the_warm_up_is_cut_where_it_ends_and_rounded_up_to_a_snapshot():
    latencies = [10_000] * 100 + [1_000, 1_002] * 450
    run = made_up_run(latencies)

    cut = observe.warmup([run, run])
    seen = observe.window(SYSTEM, run, cut)

    assert (cut.requests, cut.rule) == (100, "MSER-5")
    assert sum(seen.start.completed) == 120
    values = {name: value for name, value, _ in observe.metrics(seen)}
    assert values["latency.mean"] == pytest.approx(1.001)


def test_a_short_run_drops_its_first_quarter_and_says_so():
    cut = observe.warmup([made_up_run([1_000] * 200)])

    assert cut.requests == 50
    assert "first quarter" in cut.rule


def test_a_run_that_never_settles_is_cut_in_half_and_marked():
    cut = observe.warmup([made_up_run([1_000 + 10 * i for i in range(1_000)])])

    assert (cut.requests, cut.steady) == (500, False)


def test_metrics_are_differences_over_the_window():
    run = made_up_run([2_000] * 400)
    seen = observe.window(SYSTEM, run, observe.Cut(requests=80, rule=""))

    values = {name: value for name, value, _ in observe.metrics(seen)}

    assert values["throughput"] == pytest.approx(1e9 / 2.0)
    assert values["utilization.disk"] == pytest.approx(0.25)
    assert values["utilization.host"] == pytest.approx(0.5)
    assert values["exits_per_request.io"] == 2
    assert values["cpu_per_request.vcpu"] == pytest.approx(1.0)
    assert seen.in_system == seen.residence


@pytest.mark.parametrize(("count", "metric"), [(199, "latency.p50"), (1_999, "latency.p95")])
def test_a_quantile_of_too_few_samples_is_null_with_a_reason(count, metric):
    seen = observe.window(SYSTEM, made_up_run([1_000] * count), observe.Cut(requests=0, rule=""))

    assert dict((name, value) for name, value, _ in observe.metrics(seen))[metric] is None
    assert f"{count:,} per replication, {count + 1:,} needed" in observe.reason(metric, seen)


# -- experiments -------------------------------------------------------------------------------


def test_one_scenario_is_one_point_of_its_own_name(toy):
    result = simulate(toy, **TINY)

    assert result.labels == ["toy"]
    assert set(result.data["replication"]) == {0, 1}
    assert result.value("toy", "latency.mean")[1] == 0  # every cost of toy is constant


def test_the_ledger_table_sums_to_the_mean_latency(disks):
    for point in disks.labels:
        spent = disks.requests.loc[disks.requests["point"] == point, "ns"].sum()
        assert spent == pytest.approx(disks.value(point, "latency.mean")[0])


def test_the_cpu_table_shares_out_all_time(disks):
    assert disks.cpu.groupby("point")["share"].sum().to_numpy() == pytest.approx(1.0)


def test_a_bare_address_takes_every_level_in_the_order_of_the_matrix(disks):
    """But for what the scenario cannot have: its device has no virtual functions."""
    levels = [label.partition("=")[2] for label in disks.labels]
    assert levels == [name for name in matrix.disk_techniques() if name != "sriov"]
    assert any(note.startswith("left out: vm.disk=sriov") for note in disks.notes)


def test_a_technique_that_brings_its_own_cpu_technique_is_noted(disks):
    assert any(n.startswith("vm.disk=native runs with cpu=direct: ") for n in disks.notes)


def test_the_executor_cannot_change_the_result(toy, disks):
    with ThreadPoolExecutor(2) as pool:
        other = compare(toy, "vm.disk", **TINY | {"executor": pool})

    for name, table in disks.tables().items():
        pd.testing.assert_frame_equal(table, other.tables()[name], obj=name)


@pytest.mark.slow
def test_processes_give_the_same_and_a_script_needs_no_guard(tmp_path, toy, disks):
    script = tmp_path / "script.py"
    script.write_text(
        "from virtperf import Scenario, compare\n"
        "result = compare(Scenario.load('toy'), requests=400, replications=2, band=False)\n"
        f"result.data.to_pickle({str(tmp_path / 'data.pkl')!r})\n"
    )
    subprocess.run([sys.executable, str(script)], check=True, cwd=tmp_path, timeout=120)

    pd.testing.assert_frame_equal(disks.data, pd.read_pickle(tmp_path / "data.pkl"))


def test_replications_of_a_varied_scenario_differ_and_seeds_repeat():
    scenario = Scenario.load("queue-depth-1")
    first, again = (simulate(scenario, **TINY, seed=3) for _ in range(2))
    mean = first.data.query("metric == 'latency.mean'")["value"]

    assert mean.nunique() == 2
    pd.testing.assert_frame_equal(first.data, again.data)
    other = simulate(scenario, **TINY, seed=4).data.query("metric == 'latency.mean'")["value"]
    assert set(other).isdisjoint(set(mean))


def test_the_band_comes_from_the_ends_of_the_ranges():
    result = simulate(Scenario.load("queue-depth-1"), **TINY | {"band": True})

    rows = result.band.query("metric == 'latency.mean'").set_index("corner")["shift"]
    assert rows["platform low"] < 0 < rows["platform high"]


def test_several_kinds_of_requests_have_their_own_metrics(toy):
    mixed = toy.with_("vm.load.mix", {"read": 0.5, "write": 0.5})
    result = simulate(mixed, **TINY)

    metrics = set(result.data["metric"])
    assert {"latency.mean", "latency.mean.read", "latency.p50.write"} <= metrics


def test_a_replay_is_the_run_of_the_experiment(toy, disks):
    run = replay(toy, "vm.disk=virtio", seed=disks.provenance["seed"], replication=1, requests=400)

    assert sum(run.snapshots[-1].completed) == 400


def test_a_failing_unit_leaves_the_others_and_can_be_replayed(toy, monkeypatch):
    real = work.run_one

    def sometimes(system, seed, replication, requests, engine):
        if replication == 1:
            raise SimulationError("broken on purpose")
        return real(system, seed, replication, requests, engine)

    monkeypatch.setattr(work, "run_one", sometimes)
    result = simulate(toy, **TINY | {"replications": 3})

    assert set(result.data["replication"]) == {0, 2}
    assert result.partial
    says = result.flags.set_index("flag")["says"]
    assert says["partial"] == "replications missing: 1"
    assert "seed 1, replication 1; replay: " in says["failed"]


def test_when_every_unit_fails_the_first_error_is_raised(toy, monkeypatch):
    monkeypatch.setattr(work, "run_one", lambda *_: 1 / 0)

    with pytest.raises(SimulationError, match="ZeroDivisionError"):
        simulate(toy, **TINY)


class Interrupted:
    """An executor at which somebody presses Ctrl-C after so many units."""

    def __init__(self, after):
        self.after = after

    def map(self, function, units):
        for done, unit in enumerate(units):
            if done == self.after:
                raise KeyboardInterrupt
            yield function(unit)


def test_ctrl_c_keeps_what_is_finished_and_says_what_is_missing(toy):
    result = compare(toy, "vm.count=1,2", **TINY | {"executor": Interrupted(3)})

    assert result.interrupted
    assert result.partial
    assert len(result.data.query("metric == 'latency.mean'")) == 3


def test_ctrl_c_before_anything_is_finished_is_passed_on(toy):
    with pytest.raises(KeyboardInterrupt):
        simulate(toy, **TINY | {"executor": Interrupted(0)})


def test_progress_tells_how_many_of_how_many(toy):
    told = []
    simulate(toy, **TINY, progress=lambda *step: told.append(step))

    assert told == [(1, 2, "toy"), (2, 2, "toy")]


def test_an_overloaded_open_system_is_not_run_and_named_with_its_resource(toy):
    """Such a run may never end: each arrival interrupts the work on the last one."""
    loads = [OPEN | {"rate": rate} for rate in ("10000/s", "1000000/s")]
    calm, full = (simulate(toy.with_("vm.load", load), **TINY) for load in loads)

    assert "saturated" not in set(calm.flags["flag"])
    says = full.flags.set_index("flag")["says"]["saturated"]
    assert says.startswith("saturated: disk")
    assert full.summary()["mean"].isna().all()
    assert set(full.nulls["metric"]) == set(full.data["metric"])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"replications": 0}, ParameterError),
        ({"requests": 0}, ParameterError),
        ({"engine": "warp"}, UnknownNameError),
    ],
)
def test_nonsense_is_refused_before_anything_runs(toy, change, error):
    with pytest.raises(error):
        simulate(toy, **TINY | change)


def test_an_address_that_needs_levels_says_so(toy):
    with pytest.raises(ParameterError, match=r"vm\.count=1,2,4"):
        compare(toy, "vm.count", **TINY)


@pytest.mark.parametrize("pace", PACE.values(), ids=PACE)
def test_longer_budgets_plan_longer_runs_within_limits(pace):
    def plan(seconds):
        return planned_requests([15.0, 66.0], [12, 12], cores=2, seconds=seconds, pace=pace)

    assert pace.least < plan(10) < plan(20) < pace.most
    assert plan(1e-3) == pace.least
    assert plan(1e6) == pace.most


def test_of_several_kinds_of_request_the_whole_is_weighed_by_their_numbers():
    mixed = Scenario.load("toy").with_("vm.load.mix", {"read": 9.0, "write": 1.0})
    result = simulate(mixed, **TINY)

    whole = request_times(result)["toy"]

    assert set(result.requests["group"]) == {"all", "read", "write"}
    assert sum(whole.values()) == pytest.approx(result.value("toy", "latency.mean")[0])


def test_an_overload_that_theory_cannot_see_is_told_with_its_resource():
    """A mutex that is handed on to sleepers carries less than its sections would allow."""
    lock = {"discipline": "mutex-direct", "hold": "10us"}
    load = {"kind": "open", "rate": 85_000, "jobs": 4, "cpu_user": "5us", "cpu_kernel": "5us"}
    service = {"kind": "exponential", "mean": "80us"}
    words = dict(platform="x86-kvm-2020", load=load | {"lock": lock}, service=service)
    crowd = scenario("virtio", **words).with_("vm.vcpus", 4)
    result = simulate(crowd, replications=2, requests=2_000, band=False)

    (says,) = result.flags["says"]
    assert says.startswith("saturated: web[0].guest lock is busy all the time; 85,000/s arrive, 6")
    assert result.data["value"].isna().all()


def test_a_point_all_of_whose_runs_fail_stays_in_the_table_with_its_reason(monkeypatch):
    honest = work.run_one

    def run_one(system, *rest):
        if any(worker.role == "iothread" for worker in system.workers):
            raise RuntimeError("boom")
        return honest(system, *rest)

    monkeypatch.setattr(work, "run_one", run_one)
    over = ["vm.disk=virtio,native"]
    result = compare(
        scenario("virtio"), over, replications=2, requests=300, executor=work.Serial(), band=False
    )
    assert result.labels == ["vm.disk=virtio", "vm.disk=native"]
    assert answer(result) == ["vm.disk=virtio: every run failed. RuntimeError: boom."]
    failed = result.flags.loc[result.flags["flag"] == "failed", "says"]
    assert [says.count("so do 1 more runs") for says in failed] == [0, 1]


# -- engines --------------------------------------------------------------------------------------


def test_the_compiled_engine_makes_the_runs_unless_another_is_asked_for(toy):
    results = {
        engine: simulate(toy, **TINY, engine=engine).provenance["engine"]
        for engine in (None, "fast", "sim")
    }
    assert results == {None: "fast", "fast": "fast", "sim": "sim"}


def test_a_scenario_may_name_its_engine_and_a_call_another(toy):
    named = toy.with_("run.engine", "sim")
    assert "engine" in named.to_toml()
    assert simulate(named, **TINY).provenance["engine"] == "sim"
    assert simulate(named, **TINY, engine="fast").provenance["engine"] == "fast"


def test_what_only_simpy_can_run_is_run_there_and_said_so(toy, monkeypatch):
    monkeypatch.setattr(engines, "why_not", lambda system: "the policy 99 is not compiled")
    result = simulate(toy, **TINY)
    assert result.provenance["engine"] == "sim"
    assert "engine sim: the policy 99 is not compiled" in result.notes
    assert not any("engine" in note for note in simulate(toy, **TINY, engine="fast").notes)


def test_where_nothing_can_be_compiled_simpy_runs_everything(toy, monkeypatch):
    def broken():
        raise OSError("no compiler")

    engines._unusable.cache_clear()
    monkeypatch.setattr("virtperf.fast.warm_up", broken)
    result = simulate(toy, **TINY)
    engines._unusable.cache_clear()
    assert result.provenance["engine"] == "sim"
    assert any("cannot be compiled here (OSError: no compiler)" in note for note in result.notes)


@pytest.mark.parametrize("engine", ["fast", "sim"])
def test_runs_in_processes_give_the_same_table(toy, engine, monkeypatch):
    words = {name: value for name, value in TINY.items() if name != "executor"}
    here = simulate(toy, **words, engine="fast")
    monkeypatch.setattr(work, "SHORT", 0)  # nothing is too short for processes
    in_processes = simulate(toy, **words, engine=engine)
    assert in_processes.data.equals(here.data)


def test_progress_goes_on_within_a_run(toy, monkeypatch):
    told = []
    monkeypatch.setattr(fast_engine, "BUDGET", 2_000)
    simulate(
        toy,
        requests=4_000,
        replications=2,
        band=False,
        progress=lambda done, total, label: told.append(done),
    )
    assert told == sorted(told)
    assert told[-1] == 2
    assert len([done for done in told if 0 < done < 1]) > 3


def test_ctrl_c_within_a_run_keeps_what_it_has_seen(toy, monkeypatch):
    """The first Ctrl-C ends the run as it stands; its part of the table is flagged."""
    monkeypatch.setattr(fast_engine, "BUDGET", 20_000)

    presses = iter([signal.SIGINT])

    def press(done, total, label):
        if done > 0.3 and (number := next(presses, None)):
            signal.raise_signal(number)

    result = simulate(toy, requests=50_000, replications=2, band=False, progress=press)
    assert result.interrupted
    (stopped,) = [says for says in result.flags["says"] if "was stopped after" in says]
    assert stopped.startswith("replication 0 was stopped after ")
    assert stopped.endswith(" of 50,000 requests")
    assert result.value("toy", "latency.mean")[0] > 0


def test_a_run_that_was_stopped_at_once_counts_as_missing(toy, monkeypatch):
    monkeypatch.setattr(fast_engine, "BUDGET", 100)

    presses = iter([signal.SIGINT])

    def press(*step):
        if number := next(presses, None):
            signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt):
        simulate(toy, requests=50_000, replications=1, band=False, progress=press)
