"""Binary translation or VT-x? A web server whose kernel writes its page tables more and more."""

from asking import ask

from virtperf import plot

WRITES = "vm.load.numbers.pte_writes"
OLD, NEW = "p4-vmware-2006", "x86-kvm-2020"
WAYS = {
    f"{OLD} binary-translation shadow": "2006, binary translation",
    f"{OLD} hardware shadow": "2006, VT-x, shadow paging",
    f"{NEW} binary-translation shadow": "2020, binary translation",
    f"{NEW} hardware shadow": "2020, VT-x, shadow paging",
    f"{NEW} hardware nested": "2020, VT-x, nested paging",
}
BARE = {"vm.cpu": "direct", "vm.memory": "native"}


def draw(result):
    names = {WRITES: "page-table writes per request: exits under shadow paging"}
    names |= {**WAYS, "latency.mean": "time of a request over that of the bare machine"}
    return plot.response(
        result,
        WRITES,
        "latency.mean",
        over=BARE,
        names=names,
        direct=True,
        title="A web server on the machines of 2006 and 2020",
    )


def answer(result):
    table = result.relative("latency.mean", BARE).merge(result.points, on="point")
    ratio = {}
    for row in table.to_dict("records"):
        way = WAYS[f"{row['platform']} {row['vm.cpu']} {row['vm.memory']}"]
        ratio.setdefault(way, {})[row[WRITES]] = row["mean"]
    says = []
    for year in (2006, 2020):
        translated = ratio[f"{year}, binary translation"]
        exits = ratio[f"{year}, VT-x, shadow paging"]
        ahead = [writes for writes in exits if exits[writes] > translated[writes]]
        when = f"from {min(ahead)} page-table writes per request on" if ahead else "nowhere"
        says.append(f"on the machine of {year} {when}")
    top = max(exits)
    nested = ratio["2020, VT-x, nested paging"][top]
    return (
        f"Binary translation beats VT-x with shadow paging {says[0]}, {says[1]}. Nested paging "
        f"ends that: at {top} writes it takes {nested:.2f} times the bare machine's time, binary "
        f"translation {translated[top]:.2f}."
    )


if __name__ == "__main__":
    ask(__file__, draw, answer)
