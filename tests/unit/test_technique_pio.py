"""Programmed I/O against DMA, and polling against interrupts: by hand, on an idle system."""

import pytest

from virtperf import catalog
from virtperf.build import build
from virtperf.build.site import Site
from virtperf.errors import ScenarioError
from virtperf.experiment import simulate
from virtperf.scenario import Scenario
from virtperf.theory import zero_load
from virtperf.units import TICKS_PER_NS

BASE = Scenario.load("queue-depth-1").with_("vm.disk", "native")
NUMBERS = Site(BASE, catalog.platform(BASE.platform)).costs
WORDS = 2048  # of 16 bits, in 4 KiB


def idle(**changes):
    return zero_load(build(BASE.with_all({f"vm.{name}": value for name, value in changes.items()})))


def ns(seen):
    return seen.latency / TICKS_PER_NS


@pytest.mark.parametrize("data", ["pio", "pio-string"])
def test_natively_each_word_is_a_cycle_of_the_bus(data):
    added = ns(idle(**{"disk.data": data})) - ns(idle())

    assert added == pytest.approx(WORDS * NUMBERS.ns("pio_word"))


def test_each_emulated_word_is_an_exit():
    dma, pio = (idle(disk="emulated-ide", **{"disk.data": data}) for data in ("dma", "pio"))

    fewer = NUMBERS.count("ide_accesses") - NUMBERS.count("ide_pio_accesses")
    assert pio.counters["exits.io"] - dma.counters["exits.io"] == WORDS - fewer
    assert pio.counters["port_words"] == WORDS
    assert ns(pio) > 20 * ns(dma)


def test_a_string_instruction_exits_once_for_as_much_as_the_hypervisor_takes():
    words, strings = (
        idle(disk="emulated-ide", **{"disk.data": data}) for data in ("pio", "pio-string")
    )
    exits = 2 * WORDS / NUMBERS.count("pio_string_bytes")
    assert words.counters["exits.io"] - strings.counters["exits.io"] == WORDS - exits


def test_a_driver_that_polls_burns_the_devices_time_and_saves_interrupt_and_wake_up():
    told, seen = (
        idle(disk="passthrough", **{"disk.completion": how}) for how in ("interrupt", "poll")
    )
    assert seen.counters.get("interrupts", 0) == 0
    assert seen.counters["exits.hlt"] == 0 < told.counters["exits.hlt"]
    assert ns(seen) < ns(told)
    assert sum(seen.cpu.values()) == seen.latency


@pytest.mark.parametrize("disk", ["native", "passthrough"])
def test_engines_agree_on_vcpus_that_poll(disk):
    polled = BASE.with_all({"vm.disk": disk, "vm.disk.completion": "poll", "vm.load.jobs": 3})
    both = [
        simulate(polled, requests=300, replications=1, band=False, engine=engine)
        for engine in ("sim", "fast")
    ]
    assert both[0].data["value"].equals(both[1].data["value"])


REFUSED = [
    ({"vm.disk.completion": "poll", "vm.load.outstanding": 2}, "closed with outstanding 1 under"),
    ({"vm.disk": "virtio", "vm.disk.completion": "poll"}, "completion must be left out unless"),
    ({"vm.disk": "emulated-nvme", "vm.disk.data": "pio"}, "data must be left out unless"),
]


@pytest.mark.parametrize(("changes", "says"), REFUSED)
def test_what_no_driver_does_is_refused(changes, says):
    with pytest.raises(ScenarioError, match=says):
        changed = BASE
        for address, value in changes.items():
            changed = changed.with_(address, value)
