"""Virtio or SR-IOV? One vCPU reads a flash drive, with more and more requests in flight."""

from asking import ask, means

from virtperf import plot
from virtperf.result.words import digits

DISKS = ("native", "virtio", "sriov")
NAMES = {"sriov": "SR-IOV", "throughput": "requests a second"}


def draw(result):
    return plot.response(
        result,
        "vm.load.outstanding",
        "throughput",
        names=NAMES,
        log="x",
        direct=True,
        title="Reads of 4 KiB by one vCPU from a drive that takes 80 us",
    )


def answer(result):
    latency = {disk: means(result, "latency.mean", outstanding=None, disk=disk) for disk in DISKS}
    rate = {disk: means(result, "throughput", outstanding=None, disk=disk) for disk in DISKS}
    gain = {depth: rate["sriov"][depth] / rate["virtio"][depth] for depth in rate["virtio"]}
    most, deepest = max(gain, key=gain.get), max(gain)
    one = {disk: f"{latency[disk][1] / 1e3:.0f} us" for disk in DISKS}
    return (
        f"With one request in flight SR-IOV takes {one['sriov']} and virtio {one['virtio']}, the "
        f"bare machine {one['native']}. SR-IOV makes {digits(gain[most])} times the requests of "
        f"virtio at depth {most}, and {digits(gain[deepest])} times at {deepest}."
    )


if __name__ == "__main__":
    ask(__file__, draw, answer)
