import matplotlib

matplotlib.use("Agg")

import pytest
from matplotlib import pyplot as plt

from virtperf import Experiment, Scenario, plot
from virtperf.design import crossed, grid, zipped

STEP = zipped({"vm.vcpus": [1, 2], "vm.load.jobs": [1, 2]})
WAYS = {"vm.disk": ["native", "emulated-nvme", "virtio"]}


@pytest.fixture(scope="module")
def result():
    base = Scenario.load("toy").with_(
        "device.disk.service", {"kind": "exponential", "mean": "20us"}
    )
    made = {"requests": 300, "replications": 3, "outputs": {"latency.mean": 0.9}}
    return Experiment(scenario=base, design=crossed(STEP, grid(WAYS)), **made).run()


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    plt.close("all")


def test_a_factor_that_moves_in_step_names_no_line(result):
    ax = plot.response(result, "vm.vcpus", "throughput", names={"virtio": "virtio-blk"})

    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["native", "emulated-nvme", "virtio-blk"]
    assert ax.get_xlabel() == "vCPUs"


def test_over_a_baseline_the_ratio_is_drawn_with_its_paired_interval(result):
    table = result.relative("latency.mean", {"vm.disk": "native"})
    ax = plot.response(result, "vm.vcpus", "latency.mean", over={"vm.disk": "native"}, direct=True)

    first = table["point"].iloc[0]
    base = first.replace("emulated-nvme", "native")
    rows = {p: rows["value"].array for p, rows in values(result).groupby("point")}
    assert table["mean"].iloc[0] == pytest.approx((rows[first] / rows[base]).mean())
    assert (table["ci_high"] > table["mean"]).all()
    assert len(table) == 4
    assert ax.lines[0].get_ydata()[0] == pytest.approx(table["mean"].iloc[0])
    assert [text.get_text() for text in ax.texts][-1] in ("emulated-nvme", "virtio")
    assert ax.get_legend() is None


def test_a_baseline_on_the_abscissa_is_a_point_of_each_line(result):
    ax = plot.response(result, "vm.vcpus", "throughput", over={"vm.vcpus": 1, "vm.load.jobs": 1})

    lines = [drawn.lines[0] for drawn in ax.containers]
    assert len(lines) == 3
    assert all(list(line.get_xdata()) == [1, 2] for line in lines)
    assert all(line.get_ydata()[0] == 1 for line in lines)


def values(result):
    return result.data[result.data["metric"] == "latency.mean"]


def test_times_and_sizes_stand_where_they_belong():
    from virtperf.plot.response import _places

    assert _places(["100us", "1ms"]) == ({"100us": 1e5, "1ms": 1e6}, {1e5: "100 us", 1e6: "1 ms"})
    assert _places(["4KiB"])[1] == {4096.0: "4 KiB"}
    assert _places(["b", "a"]) == ({"b": 0.0, "a": 1.0}, {0.0: "b", 1.0: "a"})
    assert _places([2**20])[1] == {2.0**20: "1 MiB"}
    assert _places([1, 2000])[1] == {1.0: "1", 2000.0: "2,000"}
