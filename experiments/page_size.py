"""Which pages, for how much data? Lookups at random in tables of 1 MiB to 4 GiB, nested paging."""

from asking import ask

from virtperf import plot
from virtperf.plot.memory import bytes_in_words

SIZE = "vm.load.numbers.data_footprint"
PAGES = {
    "4KiB 4KiB": "4K on 4K",
    "4KiB 2MiB": "4K on 2M",
    "2MiB 4KiB": "2M on 4K",
    "2MiB 2MiB": "2M on 2M",
}
LOOKUPS = 1_000  # in a unit of the workload
WORTH = 0.1  # of the time of a lookup, to call it worth something


def draw(result):
    names = {**PAGES, SIZE: "data that are looked up", "latency.mean": "time of 1,000 lookups"}
    return plot.response(
        result,
        SIZE,
        "latency.mean",
        names=names,
        log="x",
        direct=True,
        title="Pages of the guest on pages of the host (nested paging)",
    )


def answer(result):
    ns = {}
    for row in result.points.to_dict("records"):
        pages = PAGES[f"{row['vm.memory.guest_page']} {row['vm.memory.host_page']}"]
        ns[row[SIZE], pages] = result.value(row["point"], "latency.mean")[0] / LOOKUPS
    sizes = sorted({size for size, _ in ns})
    gain = {size: 1 - ns[size, "2M on 2M"] / ns[size, "4K on 4K"] for size in sizes}
    first = min(size for size in sizes if gain[size] > WORTH)
    last = sizes[-1]
    host = (ns[last, "4K on 4K"] - ns[last, "4K on 2M"]) / (
        ns[last, "4K on 4K"] - ns[last, "2M on 2M"]
    )
    return (
        f"Large pages in guest and host are worth {WORTH:.0%} of a lookup from "
        f"{bytes_in_words(first)} of data on, and {gain[last]:.0%} at {bytes_in_words(last)} "
        f"({ns[last, '4K on 4K']:.0f} ns become {ns[last, '2M on 2M']:.0f}); those of the host "
        f"alone bring {host:.0%} of that."
    )


if __name__ == "__main__":
    ask(__file__, draw, answer)
