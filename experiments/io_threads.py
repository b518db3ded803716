"""How many I/O threads? Four vCPUs with a queue each, on hosts with ever fewer pCPUs for them."""

from asking import ask, means

from virtperf import plot
from virtperf.result.words import digits

PCPUS = (4, 5, 6, 8)
ENOUGH = 0.98  # of the most that any number of threads gives


def draw(result):
    names = {str(pcpus): f"{pcpus} pCPUs" for pcpus in PCPUS}
    return plot.response(
        result,
        "vm.disk.iothreads",
        "throughput",
        names=names,
        direct=True,
        title="Virtio on a device that outruns it, four vCPUs",
    )


def answer(result):
    says = []
    for pcpus in PCPUS:
        rates = means(result, "throughput", iothreads=None, pcpus=pcpus)
        threads = min(n for n, rate in rates.items() if rate >= ENOUGH * max(rates.values()))
        says.append(f"{threads} with {pcpus} pCPUs ({digits(rates[threads] / 1e3)} k/s)")
    one = means(result, "throughput", iothreads=None, pcpus=PCPUS[-1])[1]
    return (
        f"One thread carries {digits(one / 1e3)} k requests a second. As many as help, four vCPUs "
        f"being busy: {', '.join(says)}."
    )


if __name__ == "__main__":
    ask(__file__, draw, answer)
