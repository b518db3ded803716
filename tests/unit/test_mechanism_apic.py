"""How many commands an inter-processor interrupt takes."""

import pytest

from virtperf.errors import ParameterError
from virtperf.mechanism.apic import commands


def test_a_broadcast_takes_a_command_per_target_cluster_or_mask():
    assert [commands(range(80), mode) for mode in ("physical", "cluster", "hypercall")] == [
        80,
        5,
        1,
    ]


def test_sockets_that_cut_clusters_take_more():
    two_sockets = [*range(40), *range(64, 104)]  # each socket's ids begin anew
    assert commands(two_sockets, "cluster") == 3 + 3


def test_a_mask_begins_at_its_lowest_target():
    assert commands([0, 127], "hypercall") == 1
    assert commands([0, 128], "hypercall") == 2
    assert commands([100, 227], "hypercall") == 1


def test_nobody_needs_no_command_and_twice_is_once():
    assert commands([], "physical") == 0
    assert commands([3, 3], "physical") == 1


@pytest.mark.parametrize(("targets", "mode"), [([1], "logical"), ([-1], "physical")])
def test_what_cannot_be_is_refused(targets, mode):
    with pytest.raises(ParameterError, match="apic"):
        commands(targets, mode)
