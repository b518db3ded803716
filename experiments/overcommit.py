"""How many VMs before the tail breaks? Web servers on four pCPUs, under three schedulers."""

from asking import ask, means

from virtperf import plot

POLICIES = ("credit", "credit2", "eevdf")
TIMES = 3  # the p99 of a VM that has a pCPU of its own


def draw(result):
    return plot.response(
        result,
        "vm.count",
        "latency.p99",
        direct=True,
        title="Web servers of one vCPU, each a sixth busy, on four pCPUs",
    )


def answer(result):
    says = []
    for policy in POLICIES:
        p99 = means(result, "latency.p99", count=None, policy=policy)
        alone = p99[min(p99)]
        most = max(count for count, ns in p99.items() if ns <= TIMES * alone)
        top = max(p99)
        says.append(f"{most} under {policy} ({p99[top] / 1e3:.0f} us at {top})")
    return (
        f"With a pCPU for each VM the p99 is {alone / 1e3:.0f} us. It has not become {TIMES} times "
        f"that with {', '.join(says)}, of the numbers of VMs that were tried."
    )


if __name__ == "__main__":
    ask(__file__, draw, answer)
