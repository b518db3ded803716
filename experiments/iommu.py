"""Strict or deferred? What an IOMMU's maps cost a bare machine, on more and more CPUs at once."""

from asking import ask

from virtperf import plot

NAMES = {
    "throughput": "requests, to those without an IOMMU",
    "vm.vcpus": "CPUs that read, each with 16 requests in flight",
}


def draw(result):
    return plot.response(
        result,
        "vm.vcpus",
        "throughput",
        over={"vm.disk.iommu": "none"},
        names=NAMES,
        direct=True,
        log="x",
        title="A map and an unmap for each request, by when it is invalidated",
    )


def answer(result):
    table = result.relative("throughput", {"vm.disk.iommu": "none"})
    table = table.merge(result.points, on="point")
    share = {
        (mode, cpus): mean
        for mode, cpus, mean in zip(
            table["vm.disk.iommu"], table["vm.vcpus"], table["mean"], strict=True
        )
    }
    few, many = table["vm.vcpus"].min(), table["vm.vcpus"].max()
    says = [
        f"{mode} leaves {share[mode, few]:.0%} of the requests on {few} CPU and "
        f"{share[mode, many]:.0%} on {many}"
        for mode in ("deferred", "strict")
    ]
    return (
        f"By the CPUs at work, {says[0]}; {says[1]}, where all wait for one queue of invalidations."
    )


if __name__ == "__main__":
    ask(__file__, draw, answer)
