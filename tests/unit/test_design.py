import pytest

from virtperf.design import axis, grid, label
from virtperf.errors import ParameterError


def test_the_last_axis_varies_fastest():
    points = grid({"vm.disk": ["native", "virtio"], "vm.count": [1, 8]})

    assert [tuple(point.values()) for point in points] == [
        ("native", 1),
        ("native", 8),
        ("virtio", 1),
        ("virtio", 8),
    ]


def test_an_axis_whose_address_is_a_name_may_be_a_keyword():
    assert grid(platform=["toy"]) == [{"platform": "toy"}]


def test_a_label_reads_back_as_the_point():
    point = {"vm.disk": "virtio", "vm.count": 8, "vm.load.think": 0.5}

    pairs = [axis(text) for text in label(point).split()]

    assert {address: levels[0] for address, levels in pairs} == point


@pytest.mark.parametrize("text", ["", "vm.count=", "=1"])
def test_half_an_axis_is_refused(text):
    with pytest.raises(ParameterError, match=r"such as vm\.count=1,2,4"):
        axis(text)


@pytest.mark.parametrize("levels", [[], [1, 1]])
def test_an_axis_without_levels_or_with_one_twice_is_refused(levels):
    with pytest.raises(ParameterError, match=r"at least one level|each level once"):
        grid({"vm.count": levels})
