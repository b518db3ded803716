"""The report's figure and sentence on memory that is short: who pages, and what p99 makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from virtperf import plot
from virtperf.report.picture import Picture, picture
from virtperf.result.words import digits

if TYPE_CHECKING:
    from virtperf.result import Result

COUNTS = (1, 2, 3, 4)
SIZES = ("256MiB", "192MiB")
REQUESTS, REPLICATIONS = 13_000, 5  # enough for p99 behind the warm-up


def conduct() -> Result:
    """Run `memory-overcommit`, by guests, by what each has, by who pages."""
    from virtperf.experiment import compare
    from virtperf.scenario import Scenario

    over: dict[str, list[Any]] = {
        "vm.memory.size": list(SIZES),
        "host.reclaim": ["swap", "balloon"],
        "vm.count": list(COUNTS),
    }
    return compare(
        Scenario.load("memory-overcommit"),
        over,
        requests=REQUESTS,
        replications=REPLICATIONS,
        band=False,
    )


def sentence(result: Result) -> str:
    """Return what overcommit does, and who should page."""

    def p99(size: str, reclaim: str, count: int) -> float:
        point = f"vm.memory.size={size} host.reclaim={reclaim} vm.count={count}"
        return result.value(point, "latency.p99")[0] / 1e3

    fits, full, many = SIZES[0], SIZES[1], COUNTS[-1]
    return (
        f"Overcommit of memory: two key-value stores of 256 MiB fit into 576 MiB, with a p99 of "
        f"{digits(p99(fits, 'swap', 2))} us; {many} share them at {digits(p99(fits, 'swap', many))}"
        f" us. Where guests page too, with 192 MiB each, a host that pages as well brings that to "
        f"{digits(p99(full, 'swap', many))} us, for many pages go through two disks; balloons, "
        f"which leave the choice to the guests, to {digits(p99(full, 'balloon', many))} us."
    )


def figure(result: Result) -> Picture:
    """Return p99 by number of guests."""
    return picture(
        plot.response(result, "vm.count", "latency.p99"),
        "Key-value stores of 256 MiB on a host with 576 MiB: what a guest has for its data, and "
        "who pages when the host has less. Intervals are 95 % over replications.",
    )
