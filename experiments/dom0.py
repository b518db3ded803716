"""When does Dom0 saturate? Guests on Xen's split block driver, over Dom0s of 1, 2 and 4 vCPUs."""

from asking import ask, means

from virtperf import plot
from virtperf.result.words import digits

VCPUS = (1, 2, 4)
FULL = 0.95  # of the most that any number of guests gets


def draw(result):
    names = {str(vcpus): f"Dom0 of {vcpus}" for vcpus in VCPUS} | {"vm.count": "guests"}
    return plot.response(
        result,
        "vm.count",
        "throughput",
        names=names,
        direct=True,
        title="Guests with 32 reads in flight each, persistent grants",
    )


def answer(result):
    says = []
    for vcpus in VCPUS:
        rates = means(result, "throughput", count=None, vcpus=vcpus)
        most = max(rates.values())
        guests = min(count for count, rate in rates.items() if rate >= FULL * most)
        says.append(f"{vcpus} with {guests} guests, at {digits(most / 1e3)} k requests a second")
    one = means(result, "throughput", count=None, vcpus=VCPUS[-1])[1]
    return (
        f"A guest asks for {digits(one / 1e3)} k a second. Dom0 is full, by its vCPUs: "
        f"{'; '.join(says)}."
    )


if __name__ == "__main__":
    ask(__file__, draw, answer)
