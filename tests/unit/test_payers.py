"""Who pays for a request: every account has a payer, and nothing is lost between them."""

import pytest

from virtperf import simulate
from virtperf.experiment.work import Serial
from virtperf.result.payers import PAYERS, payer, payers
from virtperf.scenario import Scenario

SHORT = {"requests": 3_000, "replications": 2, "band": False, "engine": "sim"}


def seen(disk: str):
    scenario = Scenario.load("block-paths").with_("vm.disk.technique", disk)
    return simulate(scenario, executor=Serial(), **SHORT)


@pytest.fixture(scope="module")
def core():
    return seen("vhost-user-blk")


def test_payers_add_up_to_the_cpu_time_per_request(core):
    (row,) = payers(core).to_dict("records")
    total, _ = core.value(core.labels[0], "cpu_per_request.total")

    assert sum(row[who] for who in PAYERS) == pytest.approx(row["total"])
    assert row["total"] == pytest.approx(total)


def test_a_polling_core_takes_a_whole_cpu_whatever_it_does(core):
    (row,) = payers(core).to_dict("records")
    rate, _ = core.value(core.labels[0], "throughput")
    on_the_core = row["host threads"] + row["polling, useful"] + row["polling, wasted"]

    assert on_the_core * rate == pytest.approx(1e9, rel=0.01)  # means of two runs are multiplied
    assert row["polling, useful"] > 0
    assert row["polling, wasted"] > 0


def test_nobody_polls_on_the_main_loop():
    (row,) = payers(seen("virtio-main-loop")).to_dict("records")

    assert (row["polling, useful"], row["polling, wasted"]) == (0, 0)
    assert row["host threads"] > 0


@pytest.mark.parametrize(
    ("account", "who"),
    [
        ("vcpu: guest kernel", "guest"),
        ("vcpu: eventfd", "exits"),
        ("vcpu: device model", "emulation on vCPUs"),
        ("vhost worker: virtio", "host threads"),
        ("vcpu: halt polling", "polling, wasted"),
        ("host: switch", "switching"),
        ("idle", ""),
    ],
)
def test_an_account_has_a_payer(account, who):
    assert payer(account) == who


@pytest.mark.parametrize("what", ["shadow paging", "host paging", "callout"])
def test_what_the_hypervisor_does_in_an_exit_is_not_the_guests(what):
    assert payer(f"vcpu: {what}") == "exits"
