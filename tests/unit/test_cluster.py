"""A sweep on a real dask.distributed cluster: two worker processes on loopback."""

import os
import signal
import threading

import pytest

from tests.unit.test_sweep import experiment, same
from virtperf.errors import ParameterError, SimulationError
from virtperf.experiment import sweep, version
from virtperf.experiment.cluster import cluster

distributed = pytest.importorskip("distributed")


@pytest.fixture
def local():
    """A scheduler and two workers, each a process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made


@pytest.mark.slow
def test_a_cluster_gives_the_same_table_though_a_worker_is_killed(local, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "FEW", 0)
    many = {"vm.load.outstanding": list(range(1, 13))}
    first, killed = next(iter(local.workers.values())), threading.Event()

    def kill(status):
        if status.done >= 10 and not killed.is_set():
            os.kill(first.process.pid, signal.SIGKILL)
            killed.set()

    with cluster(local.scheduler_address) as executor:
        there = experiment(many).run(tmp_path, executor=executor, tell=kill)

    assert killed.is_set()
    same(there, experiment(many).run())


@pytest.mark.slow
def test_a_cluster_that_goes_away_loses_nothing(local, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "FEW", 0)
    many = {"vm.load.outstanding": list(range(1, 13))}

    def close(status):
        if status.done >= 10:
            local.close()

    with (
        pytest.raises(SimulationError, match="the executor went away"),
        cluster(local.scheduler_address) as executor,
    ):
        experiment(many).run(tmp_path, executor=executor, tell=close)
    seen = []
    again = experiment(many).run(tmp_path, tell=lambda status: seen.append(status.stored))

    assert seen[0] >= 10
    same(again, experiment(many).run())


def test_a_cluster_that_is_not_there_is_told_by_its_address(monkeypatch):
    def nobody(address, **_):
        raise OSError(f"timed out trying to connect to {address!r}")

    monkeypatch.setattr(distributed, "Client", nobody)
    with pytest.raises(SimulationError, match=r"no cluster answers at tcp://127\.0\.0\.1:1"):
        cluster("tcp://127.0.0.1:1").__enter__()


def test_workers_of_another_version_are_refused(monkeypatch):
    class Client:
        def __init__(self, *_, **__):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def run(self, *_):
            return {"tcp://worker": "other"}

    monkeypatch.setattr(distributed, "Client", Client)
    with pytest.raises(SimulationError, match="worker tcp://worker has model other, this is"):
        cluster("tcp://x").__enter__()
    assert version.model_version("fast") != "other"


def test_without_the_extra_the_way_to_it_is_told(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ParameterError, match=r"pip install 'virtperf\[cluster\]'"):
        cluster("tcp://x").__enter__()
