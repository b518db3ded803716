import matplotlib

matplotlib.use("Agg")

import pytest
from matplotlib import pyplot as plt

from virtperf import plot
from virtperf.errors import ParameterError
from virtperf.experiment import compare
from virtperf.experiment.work import Serial
from virtperf.scenario import Scenario


@pytest.fixture(scope="module")
def result():
    over = {"vm.disk": ["emulated-nvme", "virtio"], "vm.count": [1, 2]}
    toy = Scenario.load("toy")
    return compare(toy, over, requests=300, replications=2, band=False, executor=Serial())


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def test_a_bar_is_as_long_as_the_mean_latency(result):
    ax = plot.breakdown(result)

    ends = [max(p.get_x() + p.get_width() for p in group) for group in _rows(ax)]
    means = [result.value(point, "latency.mean")[0] / 1e3 for point in result.labels]
    assert ends == pytest.approx(means)
    assert ax.get_xlabel() == "time per request [us]"


def _rows(ax):
    rows = {}
    for patch in ax.patches:
        rows.setdefault(round(patch.get_y(), 3), []).append(patch)
    return rows.values()


def test_a_breakdown_of_plain_numbers_names_every_cause_it_shows():
    ax = plot.breakdown({"x": {"device": 2_000.0, "vcpu: exit io": 500.0}})

    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert shown == ["device", "exits"]
    assert "2.500 us" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("account", "cause"),
    [
        ("vcpu: exit io", "exits"),
        ("wait: wake-up of vcpu", "wake-ups"),
        ("iothread: virtio", "device model, virtio"),
        ("wait: device", "waiting for the device"),
        ("vcpu: critical section", "guest"),
        ("vcpu: timer tick", "guest"),
        ("vcpu: process switch", "thread switches"),
        ("vcpu: spinning", "waiting for a CPU, a lock, a turn"),
        ("wait: big QEMU lock", "waiting for a CPU, a lock, a turn"),
    ],
)
def test_an_account_belongs_to_the_cause_that_names_it_best(account, cause):
    assert plot.cause(account) == cause


def test_a_response_has_a_line_per_technique_a_unit_and_every_point(result):
    ax = plot.response(result, "vm.count", "throughput")

    assert (ax.get_xlabel(), ax.get_ylabel()) == ("virtual machines", "requests [1,000/s]")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["emulated-nvme", "virtio"]
    assert all(list(line.get_xdata()) == [1, 2] for line in ax.lines if len(line.get_xdata()) == 2)


def test_a_factor_that_was_not_varied_is_refused(result):
    with pytest.raises(ParameterError, match=r"one of vm\.disk, vm\.count"):
        plot.response(result, "vm.vcpus", "throughput")


def test_a_distribution_ends_at_one_on_a_logarithmic_axis(result):
    ax = plot.cdf(result, points=result.labels[:1])

    assert ax.get_xscale() == "log"
    assert ax.lines[0].get_ydata()[-1] == 1


def test_labels_are_shortened_to_what_a_reader_needs():
    assert plot.short("vm.disk=virtio vm.count=8") == "virtio, 8 VMs"
    assert plot.short("first-light") == "first-light"


def test_drawing_into_given_axes_makes_no_figure_of_its_own(result):
    _, ax = plt.subplots()

    assert plot.cdf(result, ax) is ax
    assert len(plt.get_fignums()) == 1
