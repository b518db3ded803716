"""Shadow or nested paging? Lookups in 256 MiB by a process that faults more and more often."""

from asking import ask, means

from virtperf import plot
from virtperf.result.words import digits

FAULTS = "vm.load.numbers.page_faults"
NAMES = {
    FAULTS: "page faults per 1,000 lookups, each with a page-table write",
    "latency.mean": "time of 1,000 lookups",
    "shadow": "shadow",
}


def draw(result):
    return plot.response(
        result,
        FAULTS,
        "latency.mean",
        names=NAMES,
        direct=True,
        title="Longer walks (nested) or exits (shadow)? Pages of 4 KiB",
    )


def answer(result):
    shadow, nested = (
        means(result, "latency.mean", page_faults=None, memory=memory)
        for memory in ("shadow", "nested")
    )
    more = {faults: shadow[faults] - nested[faults] for faults in shadow}
    after = min(faults for faults, ns in more.items() if ns > 0)
    before = max(faults for faults in more if faults < after)
    share = -more[before] / (more[after] - more[before])  # on the straight line between both
    root = before + share * (after - before)
    ms = (nested[before] + share * (nested[after] - nested[before])) / 1e6
    exit_us = (more[after] - more[before]) / (after - before) / 1e3
    return (
        f"Shadow paging is quicker below {digits(root, 2)} faults per 1,000 lookups, "
        f"{digits(root / ms, 2)} in a millisecond: without any it saves "
        f"{digits(-more[0] / 1e3)} us of page walks, and each fault costs it "
        f"{digits(exit_us)} us more than nested paging."
    )


if __name__ == "__main__":
    ask(__file__, draw, answer)
