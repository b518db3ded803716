"""How long a slice? VMs that compute and a web server share pCPUs, by what caches must hold."""

from asking import ask, means
from matplotlib import pyplot as plt

from virtperf import plot

SETS = ("16KiB", "128KiB", "1MiB")
LONGEST, WAIT = "30ms", "latency.mean.web unit"
LOSS = 0.05  # of the work, that may go to loading caches again
NAMES = {
    **{size: f"{size.replace('KiB', ' KiB').replace('MiB', ' MiB')} per vCPU" for size in SETS},
    "throughput": f"work done, to that with slices of {LONGEST.replace('ms', ' ms')}",
    WAIT: "mean latency of the web server",
}


def draw(result):
    _, (work, wait) = plt.subplots(1, 2, figsize=(9.6, 3.9), layout="constrained")
    over = {"host.slice": LONGEST}
    plot.response(result, "host.slice", "throughput", work, over=over, names=NAMES, log="x")
    plot.response(result, "host.slice", WAIT, wait, names=NAMES, log="xy")
    wait.get_legend().remove()  # the lines are those of the other panel
    return work


def answer(result):
    says = []
    for size in SETS:
        work = means(result, "throughput", slice=None, working_set=size)
        wait = means(result, WAIT, slice=None, working_set=size)
        short = next(s for s in work if work[s] >= (1 - LOSS) * work[LONGEST])
        says.append(f"{short} for {size} (the web server answers in {wait[short] / 1e6:.2f} ms)")
    return (
        f"The shortest slices, of those tried, that leave {1 - LOSS:.0%} of the work: "
        f"{', '.join(says)}; with {LONGEST} it answers in {wait[LONGEST] / 1e6:.0f} ms."
    )


if __name__ == "__main__":
    ask(__file__, draw, answer)
