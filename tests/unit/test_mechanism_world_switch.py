"""Register classes are booked once per switch that is made, with the switch named."""

from collections import Counter

import pytest

from virtperf.errors import ParameterError
from virtperf.mechanism.world_switch import EVERY, hypercall

SAVE = dict.fromkeys(EVERY, 100.0) | {"vgic": 3000.0}
RESTORE = dict.fromkeys(EVERY, 50.0)


def test_a_hosted_hypervisor_switches_every_class_each_way_and_traps_twice():
    booked = hypercall("hosted", SAVE, RESTORE, 40.0)
    assert Counter(one.switch for one in booked) == {
        "guest to host": 7,
        "host to guest": 7,
        "trap": 2,
    }
    assert len({(one.switch, one.registers) for one in booked}) == 15  # the traps are alike
    assert sum(one.cost for one in booked) == 3600 + 350 + 80


def test_a_host_in_el2_keeps_its_registers():
    hosted, vhe = (
        sum(one.cost for one in hypercall(kind, SAVE, RESTORE, 40.0)) for kind in ("hosted", "vhe")
    )
    assert vhe == 100 + 50 + 40
    assert hosted > 2 * vhe


@pytest.mark.parametrize(("kind", "save"), [("guest", SAVE), ("hosted", {"gp": 1.0})])
def test_what_cannot_be_is_refused(kind, save):
    with pytest.raises(ParameterError, match="world switch"):
        hypercall(kind, save, RESTORE, 40.0)
