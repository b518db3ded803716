"""The two queueing models as cimba's documentation writes such models. Needs cimba.

Run as ``python -m tests.benchmark.cimba_models MODEL CUSTOMERS`` it prints customers a second and
their mean response. It has a process of its own: cimba cannot be compiled where another package
has taught numba what a record is before.
"""

import json
import sys
from time import perf_counter

import cimba as cb
from cimba import inputs


class Mm4(cb.Model):
    """Poisson arrivals at four servers, each of load 0.7; the mean service is the unit of time."""

    interarrival: cb.Input[float] = inputs.dist.exponential(mean=1 / 2.8)
    service: cb.Input[float] = inputs.dist.exponential(mean=1.0)
    queue: cb.Store[float]
    total: float = 0.0
    count: int = 0
    mean_response: cb.Output[float]
    served: cb.Output[float]

    @cb.process
    def arrivals(self):
        while True:
            cb.hold(self.interarrival.next())
            self.queue.put(cb.now())

    @cb.process(copies=4)
    def server(self):
        while True:
            arrived = self.queue.get()
            cb.hold(self.service.next())
            self.total += cb.now() - arrived
            self.count += 1

    @cb.on_end
    def measure(self):
        self.mean_response = self.total / self.count
        self.served = self.count


class Tandem(cb.Model):
    """Five single servers in a row, each of load 0.7."""

    interarrival: cb.Input[float] = inputs.dist.exponential(mean=1 / 0.7)
    service: cb.Input[float] = inputs.dist.exponential(mean=1.0)
    first: cb.Store[float]
    second: cb.Store[float]
    third: cb.Store[float]
    fourth: cb.Store[float]
    fifth: cb.Store[float]
    total: float = 0.0
    count: int = 0
    mean_response: cb.Output[float]
    served: cb.Output[float]

    @cb.process
    def arrivals(self):
        while True:
            cb.hold(self.interarrival.next())
            self.first.put(cb.now())

    @cb.process
    def server_1(self):
        while True:
            arrived = self.first.get()
            cb.hold(self.service.next())
            self.second.put(arrived)

    @cb.process
    def server_2(self):
        while True:
            arrived = self.second.get()
            cb.hold(self.service.next())
            self.third.put(arrived)

    @cb.process
    def server_3(self):
        while True:
            arrived = self.third.get()
            cb.hold(self.service.next())
            self.fourth.put(arrived)

    @cb.process
    def server_4(self):
        while True:
            arrived = self.fourth.get()
            cb.hold(self.service.next())
            self.fifth.put(arrived)

    @cb.process
    def server_5(self):
        while True:
            arrived = self.fifth.get()
            cb.hold(self.service.next())
            self.total += cb.now() - arrived
            self.count += 1

    @cb.on_end
    def measure(self):
        self.mean_response = self.total / self.count
        self.served = self.count


def run(name: str, customers: float) -> tuple[float, float]:
    """Return customers served a second of wall time, and their mean response."""
    model, rate = {"Mm4": (Mm4(), 2.8), "Tandem": (Tandem(), 0.7)}[name]
    for length in (100.0, customers):  # the first compiles
        window = cb.Window(warmup=0.0, duration=length / rate)
        trial = cb.Experiment(model, replications=1, window=window, seed=1)
        start = perf_counter()
        found = trial.run()[model]
        seconds = perf_counter() - start
    return found.served.values.item() / seconds, found.mean_response.values.item()


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], float(sys.argv[2]))))
