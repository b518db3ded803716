"""Sweeps: the same table from every executor, whatever happened on the way."""

import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor

import pandas as pd
import pytest

from virtperf import Experiment, Scenario
from virtperf.design import grid
from virtperf.errors import ParameterError, ScenarioError, SimulationError, StoreError
from virtperf.experiment import executors, prepare, sweep, tasks
from virtperf.store import Store

BASE = Scenario.load("toy")
NOISY = Scenario.load("first-light").with_("vm.disk", "virtio")
OUTPUTS = {"latency.mean": 0.9}


def experiment(design=None, **changes):
    design = grid({"vm.load.outstanding": [1, 2]} if design is None else design)
    given = {"requests": 600, "outputs": OUTPUTS, "engine": "fast", "name": "mine"}
    return Experiment(**{"scenario": BASE, "design": design} | given | changes)


def same(one, other):
    for name, table in one.tables().items():
        pd.testing.assert_frame_equal(table, other.tables()[name], obj=name)
    assert one.notes == other.notes


@pytest.fixture(scope="module")
def undisturbed():
    return experiment().run()


def test_a_sweep_needs_no_store(undisturbed):
    assert undisturbed.labels == ["vm.load.outstanding=1", "vm.load.outstanding=2"]
    assert list(undisturbed.points["replications"]) == [10, 10]
    assert list(undisturbed.points["stopped"]) == ["precision met"] * 2
    assert not undisturbed.partial


def test_it_says_what_compare_says(undisturbed):
    from virtperf import compare

    other = compare(BASE, {"vm.load.outstanding": [1, 2]}, requests=600, engine="fast", band=False)

    for name in ("requests", "cpu", "cdf", "bounds", "nulls", "sources"):
        pd.testing.assert_frame_equal(undisturbed.tables()[name], other.tables()[name], obj=name)
    pd.testing.assert_frame_equal(
        undisturbed.data.drop(columns="experiment"), other.data.drop(columns="experiment")
    )


@pytest.fixture
def blocks(monkeypatch):
    """All runs of a point are one task, as in a sweep of many points."""
    monkeypatch.setattr(sweep, "FEW", 0)


@pytest.mark.parametrize("kind", ["threads", "processes", "ours", "blocks", "here in blocks"])
def test_the_executor_cannot_change_the_result(kind, undisturbed, monkeypatch, tmp_path):
    if "here" not in kind:
        monkeypatch.setattr(sweep, "SHORT", 0)
    if "blocks" in kind:
        monkeypatch.setattr(sweep, "FEW", 0)
    made = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}.get(kind)
    if made is None:
        same(undisturbed, experiment().run(tmp_path))
        return
    with made(2) as executor:
        same(undisturbed, experiment().run(executor=executor))


def test_a_second_call_runs_nothing(undisturbed, tmp_path, monkeypatch):
    first = experiment().run(tmp_path)
    monkeypatch.setattr(tasks, "run_one", None)
    monkeypatch.setattr(prepare, "make", None)

    same(first, experiment().run(tmp_path))
    same(first, undisturbed)
    assert experiment().plan(tmp_path).entries == experiment().plan(tmp_path).entries


def count_runs(monkeypatch):
    made = []
    real = tasks.run_one

    def counted(*args):
        made.append(args[2])
        return real(*args)

    monkeypatch.setattr(tasks, "run_one", counted)
    return made


def test_a_wider_design_runs_only_what_is_new(tmp_path, monkeypatch):
    experiment().run(tmp_path)
    made = count_runs(monkeypatch)
    wider = experiment({"vm.load.outstanding": [1, 2, 3]}).run(tmp_path)

    assert made == list(range(10))
    same(wider, experiment({"vm.load.outstanding": [1, 2, 3]}).run())


def test_more_replications_top_up_and_fewer_use_the_first(tmp_path, monkeypatch, undisturbed):
    experiment().run(tmp_path)
    made = count_runs(monkeypatch)
    more = experiment(replications=12).run(tmp_path)

    assert sorted(made) == [10, 10, 11, 11]
    same(more, experiment(replications=12).run())
    same(undisturbed, experiment().run(tmp_path))


def test_replications_are_added_until_every_output_is_precise(tmp_path):
    fine = {"scenario": NOISY, "outputs": {"latency.mean": 0.3}, "most_replications": 25}
    result = experiment(**fine).run()
    same(result, experiment(**fine).run(tmp_path))

    for row in result.points.itertuples():
        mean, half = result.value(row.point, "latency.mean")
        assert row.met == (half / mean <= 0.3 / 1.3)
        assert row.met or row.replications == 25
        assert row.replications % 5 == 0
        assert row.met or row.stopped.startswith("budget of replications spent: latency.mean +-")


def test_the_budget_of_requests_ends_a_point_too():
    tight = {"outputs": {"latency.mean": 1e-6}, "most_requests": 9_000}
    result = experiment(scenario=NOISY, **tight).run()

    assert list(result.points["replications"]) == [15, 15]
    assert result.points["stopped"].str.startswith("budget of requests spent").all()


def test_an_output_that_cannot_have_a_value_spends_no_budget():
    result = experiment(outputs={"latency.p99": 0.05}).run()

    assert list(result.points["replications"]) == [10, 10]
    assert result.points["stopped"].str.contains("too few samples").all()


def test_levels_that_come_to_the_same_thing_are_run_once(tmp_path, monkeypatch):
    made = count_runs(monkeypatch)
    design = {"vm.disk": ["native"], "vm.disk.poll": [0, 50_000]}
    result = experiment(design).run(tmp_path)

    assert sorted(made) == list(range(10))
    one, other = (result.data[result.data["point"] == label] for label in result.labels)
    assert list(one["value"].dropna()) == list(other["value"].dropna())
    assert len(one) > 50


class Breaks:
    """An engine that fails in one replication, until it is mended."""

    def __init__(self, replications, error):
        self.replications, self.error, self.real = replications, error, tasks.run_one

    def __call__(self, system, seed, replication, *more):
        if replication in self.replications:
            raise self.error
        return self.real(system, seed, replication, *more)


def test_a_failure_is_told_with_its_replay_and_the_sweep_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "run_one", Breaks({3}, RuntimeError("boom")))
    result = experiment().run(tmp_path)
    flags = result.flags[result.flags["flag"] == "failed"]

    assert result.partial
    assert len(flags) == 2
    assert flags["says"].iloc[0].startswith("RuntimeError: boom (replication 3; again: virtperf ")
    assert "--point 'vm.load.outstanding=1' --replication 3" in flags["says"].iloc[0]
    assert set(result.data["replication"]) == set(range(15)) - {3}  # nine are too few to judge
    assert "boom" in Store(tmp_path / "mine").read("failures")["trace"].iloc[0]


def test_failed_points_are_run_again_when_asked(tmp_path, monkeypatch, undisturbed):
    monkeypatch.setattr(tasks, "run_one", Breaks({3}, RuntimeError("boom")))
    broken = experiment().run(tmp_path)
    monkeypatch.undo()

    same(broken, experiment().run(tmp_path))
    same(undisturbed, experiment().run(tmp_path, retry_failed=True))


def test_a_point_all_of_whose_runs_fail_has_null_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "run_one", Breaks(set(range(10)), MemoryError("big")))
    result = experiment({"vm.load.outstanding": [1]}).run(tmp_path)

    assert result.data["value"].isna().all()
    assert "MemoryError: big" in result.nulls["reason"].iloc[0]


def test_a_saturated_point_is_flagged_and_not_run(monkeypatch):
    load = {"kind": "open", "rate": 1.0, "size": "4KiB", "arrivals": {"kind": "poisson"}}
    full = experiment({"vm.load": [load | {"rate": 1e9}]}).run()

    assert list(full.flags["flag"]) == ["saturated"]
    assert full.data["value"].isna().all()


def test_ctrl_c_keeps_what_is_done(tmp_path, monkeypatch, undisturbed, blocks):
    class Stops(Breaks):
        def __call__(self, system, seed, replication, *more):
            if len(seen := self.replications) == 13:
                raise KeyboardInterrupt
            seen.append(replication)
            return self.real(system, seed, replication, *more)

    monkeypatch.setattr(tasks, "run_one", Stops([], None))
    partial = experiment().run(tmp_path)
    monkeypatch.undo()

    assert partial.interrupted
    assert list(partial.points["replications"]) in ([10, 0], [0, 10])
    made = count_runs(monkeypatch)
    same(undisturbed, experiment().run(tmp_path))
    assert len(made) == 10


def test_the_clock_ends_a_sweep_when_asked_and_says_so(tmp_path):
    stopped = experiment().run(tmp_path, seconds=0.0)

    assert set(stopped.flags["flag"]) == {"stopped_by_clock", "partial"}
    assert "not reproducible" in stopped.flags["says"].iloc[0]


def test_runs_that_wait_for_their_cut_survive(tmp_path, monkeypatch, undisturbed):
    stop = Breaks([], None)

    def stops(system, seed, replication, *more):
        if len(stop.replications) == 5:
            raise KeyboardInterrupt
        stop.replications.append(replication)
        return stop.real(system, seed, replication, *more)

    monkeypatch.setattr(tasks, "run_one", stops)
    experiment().run(tmp_path)
    monkeypatch.setattr(tasks, "run_one", stop.real)
    store = Store(tmp_path / "mine")
    assert len(store.kept()) == 5
    first = next(iter(store.kept()))
    (store.folder / "unfinished" / first).write_bytes(b"damaged")

    made = count_runs(monkeypatch)
    same(undisturbed, experiment().run(tmp_path))
    assert (len(made), store.kept()) == (16, {})


def test_a_damaged_part_is_run_again_and_told(tmp_path, undisturbed):
    experiment().run(tmp_path)
    store = Store(tmp_path / "mine")
    next(store.folder.glob("data/*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="is damaged"):
        store.read("data")

    again = experiment().run(tmp_path)

    assert again.notes[0].startswith("set aside, and run again: ")
    pd.testing.assert_frame_equal(again.data, undisturbed.data)


def test_a_damaged_plan_is_made_again(tmp_path, undisturbed):
    experiment().run(tmp_path)
    (tmp_path / "mine" / "plan.json").write_text("{")

    same(undisturbed, experiment().run(tmp_path))


def test_versions_of_the_model_never_mix(tmp_path, monkeypatch, undisturbed):
    experiment().run(tmp_path)
    made = count_runs(monkeypatch)
    for module in (prepare, "virtperf.experiment.keys", "virtperf.experiment.bookkeeping"):
        name = module if isinstance(module, str) else module.__name__
        monkeypatch.setattr(f"{name}.model_version", lambda engine: f"later-{engine}")

    later = experiment().run(tmp_path)

    assert len(made) == 20
    pd.testing.assert_frame_equal(later.data, undisturbed.data)
    assert set(Store(tmp_path / "mine").read("runs")["model"]) > {"later-fast"}


def test_two_sweeps_do_not_write_into_one_folder(tmp_path):
    with Store(tmp_path / "mine").alone(), pytest.raises(StoreError, match="another sweep"):
        experiment().run(tmp_path)


class Gone:
    """An executor whose cluster goes away after some tasks."""

    def __init__(self, tasks):
        self.left = tasks

    def submit(self, function, *args):
        future = Future()
        if self.left:
            self.left -= 1
            future.set_result(function(*args))
        else:
            future.set_exception(ConnectionError("scheduler closed the connection"))
        return future


@pytest.mark.parametrize("levels", [(1, 2), (1, 3), (2, 4), (3, 5)])  # either may be first by key
def test_a_cluster_that_goes_away_loses_nothing(levels, tmp_path, monkeypatch, blocks):
    asked = experiment({"vm.load.outstanding": levels})
    with pytest.raises(SimulationError, match=r"the executor went away .*finished is stored"):
        asked.run(tmp_path, executor=Gone(1))

    made = count_runs(monkeypatch)
    resumed = asked.run(tmp_path)
    assert len(made) == 10
    same(asked.run(), resumed)


class Dies(executors.Processes):
    """Processes one of which is killed as soon as it has something to do."""

    killed = False

    def submit(self, function, *args):
        future = super().submit(function, *args)
        if not self.killed and self._pool._processes:
            type(self).killed = True
            os.kill(next(iter(self._pool._processes)), signal.SIGKILL)
        return future


def test_a_process_that_dies_is_replaced(monkeypatch, undisturbed):
    monkeypatch.setattr(sweep, "SHORT", 0)
    monkeypatch.setattr(executors, "Processes", Dies)

    same(undisturbed, experiment().run())
    assert Dies.killed


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"requests": -1}, "experiment.requests must be at least 1"),
        ({"replications": 5, "most_replications": 4}, "at least replications"),
        ({"design": []}, "experiment.design must be at least one point"),
        ({"outputs": {"latency.mean": 2.0}}, "outputs.latency.mean must be in"),
        ({"name": "../x"}, "usable as the name of a folder"),
        ({"engine": "sym"}, "did you mean sim"),
    ],
)
def test_an_impossible_experiment_is_refused(changes, says):
    given = {"scenario": BASE, "design": grid({"vm.count": [1]})} | changes
    with pytest.raises((ParameterError, KeyError), match=says):
        Experiment(**given)


def test_impossible_points_are_told_at_once():
    design = [{"vm.disk.iothreds": 1}, {"vm.disk": "virtoi"}, {"vm.count": 1}]
    wrong = Experiment(scenario=BASE, design=design)

    with pytest.raises(ScenarioError) as caught:
        wrong.run()
    text = str(caught.value)
    assert "did you mean" in text
    assert "vm.disk.iothreds" in text
    assert "virtoi" in text


def test_progress_tells_runs_pace_and_precision():
    seen = []
    noisy = experiment(scenario=NOISY)
    noisy.run(tell=lambda status: seen.append((status.done, status.planned, status.widths)))

    assert seen[-1][0] == seen[-1][1] >= 20
    assert 0 < seen[-1][2]["latency.mean"] < 0.9
