"""The claims of block paths: workers per queue, shadow doorbells, threads against the main loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import hypot
from typing import TYPE_CHECKING, Any

from virtperf.validation.claim import Claim, Estimate

if TYPE_CHECKING:
    from virtperf.scenario import Scenario
    from virtperf.validation.given import Given, Observed

SERVER = "x86-kvm-2020"
SHORT, RUN = 20_000, 100_000  # requests of a step of a fit, of a prediction
STEPS = 4  # of a fit: by then its error is far below what is accepted


def _of_server(names: str) -> tuple[str, ...]:
    return tuple(f"{SERVER}.{name}" for name in names.split())


GUEST = _of_server(
    "frequency slice thread_switch submit_share exit_hardware exit_kernel exit_mitigations "
    "exit_blocking apicv vpid eventfd_signal thread_wake_delay"
)
OF_GUEST = _of_server("native_user native_kernel")
VHOST = _of_server("kthread_wake_cpu vhost_weight vhost_pop vhost_complete")
QEMU = _of_server("thread_wake_cpu")
VIRTIO = _of_server("virtio_pop virtio_complete")
IOTHREAD = _of_server("iothread_poll iothread_poll_start iothread_batch poll_pickup")
HOST = _of_server("host_submit host_complete")
HARDWARE = {"technique": "hardware"}
FREE = dict.fromkeys(("host_submit", "host_complete", "device_model", "irq_ioctl"), 0.0)
"""A null-backed device submits nothing, and what its model does is part of the calibrated trap:
how long a hypervisor that is not QEMU does that under a lock, nobody knows."""


# -- what is simulated ------------------------------------------------------------------------


def _scenario(
    given: Given, disk: Mapping[str, Any], *, vcpus: int, jobs: int, depth: int, owner: str
) -> Scenario:
    """Return one VM, a queue per vCPU, on a device that takes all there is at once."""
    from virtperf.scenario import Scenario

    load = {"kind": "closed", "jobs": jobs, "outstanding": depth}
    vm = {
        "name": "guest",
        "vcpus": vcpus,
        "cpu": {"technique": "hardware"},
        "disk": {**disk, "device": "disk"},
        "load": load,
    }
    service = {"kind": "deterministic", "value": given[f"{owner}.service"]}
    device = {"channels": jobs * depth, "service": service}
    host = {"pcpus": given.count(f"{owner}.pcpus")}
    data = {"platform": SERVER, "host": host, "vm": [vm], "device": {"disk": device}}
    return Scenario.from_dict(data, name=owner)


def _guest(ns: float) -> dict[str, float]:
    """Return a guest's own CPU time per request, all of it its kernel's."""
    return {"native_user": 0.0, "native_kernel": ns}


def _fit(rate: Callable[[float], float], wanted: float, first: float) -> float:
    """Return the time at which `rate` is `wanted`, beginning with a `first` guess.

    A time on the way of every request of one CPU adds to the inverse of its rate: a straight line,
    but for what batches; so secants meet it in a few steps.
    """
    times = [first, 1.2 * first]
    lags = [1 / rate(time) - 1 / wanted for time in times]
    for _ in range(STEPS):
        if lags[-1] == lags[-2]:
            break
        slope = (lags[-1] - lags[-2]) / (times[-1] - times[-2])
        times.append(max(times[-1] - lags[-1] / slope, times[-1] / 4))
        lags.append(1 / rate(times[-1]) - 1 / wanted)
    return times[-1]


def _rate(seen: Observed) -> Estimate:
    return Estimate(seen.rate, seen.half_width)


def _over(a: Observed, b: Observed) -> Estimate:
    """Return a quotient; the noise of independent runs adds up in squares."""
    noise = hypot(a.half_width / a.rate, b.half_width / b.rate)
    return Estimate(a.rate / b.rate, a.rate / b.rate * noise)


# -- V4: one vhost worker, or one per queue ---------------------------------------------------


def _vhost(
    given: Given, workers: object, jobs: int
) -> Callable[[Mapping[str, float], int], Observed]:
    """Return a way to run some jobs with calibrated numbers."""
    commands = given.count("vhostscsi.commands") // jobs
    scenario = _scenario(
        given,
        {"technique": "vhost-blk", "workers": workers},
        vcpus=given.count("vhostscsi.vcpus"),
        jobs=jobs,
        depth=min(given.count("vhostscsi.depth"), commands),
        owner="vhostscsi",
    )
    return lambda numbers, requests: given.rates(scenario, requests, numbers)


def _vhost_numbers(given: Given) -> dict[str, float]:
    """Calibrate a worker on its ceiling, and the guest's CPU on one job with its own worker."""
    own = given[f"{SERVER}.vhost_pop"] + given[f"{SERVER}.vhost_complete"]
    host = (1e9 / given["vhostscsi.ceiling"] - own) / 2
    worker = {"host_submit": host, "host_complete": host}
    run, wanted = _vhost(given, "per-queue", 1), given["vhostscsi.guest"]
    ns = _fit(lambda ns: run({**worker, **_guest(ns)}, SHORT).rate, wanted, 1e9 / wanted)
    return {**worker, **_guest(ns)}


def _workers(given: Given, *, workers: object, jobs: int) -> Estimate:
    return _rate(_vhost(given, workers, jobs)(_vhost_numbers(given), RUN))


def _inversion(given: Given) -> Estimate:
    """Return what one worker carries of two jobs over what two workers do."""
    numbers = _vhost_numbers(given)
    one, two = (_vhost(given, workers, 2)(numbers, RUN) for workers in (1, "per-queue"))
    return _over(one, two)


# -- V6: shadow doorbells ---------------------------------------------------------------------


def _nvme(given: Given, *, shadow: bool, jobs: int, batch: bool = False) -> Callable[..., Observed]:
    """Return a way to run jobs on a null-backed device, a thread per queue where it has threads."""
    vcpus = given.count("dbbuf.jobs")
    threads: dict[str, Any] = {"technique": "emulated-nvme-dbbuf", "iothreads": vcpus}
    stock = {"technique": "emulated-nvme", "submission": "batch" if batch else "each"}
    scenario = _scenario(
        given,
        threads if shadow else stock,
        vcpus=vcpus,
        jobs=jobs,
        depth=given.count("dbbuf.depth"),
        owner="dbbuf",
    )
    return lambda numbers, requests=SHORT: given.rates(scenario, requests, {**FREE, **numbers})


def _trap(given: Given) -> float:
    """Calibrate what of an exit to user space the two rates on the null-backed device tell."""
    jobs = given.count("dbbuf.jobs")
    shadow, stock = (_nvme(given, shadow=by, jobs=jobs) for by in (True, False))
    rate = given["dbbuf.null_shadow"]
    ns = _fit(lambda ns: shadow(_guest(ns)).rate, rate, jobs / rate * 1e9)
    wanted = given["dbbuf.null_stock"]
    return _fit(lambda trap: stock({**_guest(ns), "exit_user": trap}).rate, wanted, 6_000.0)


def _shadow_doorbells(given: Given) -> Estimate:
    """Move the trap's time to another system, whose guest takes what its stock rate leaves."""
    trap, wanted = {"exit_user": _trap(given)}, given["dbbuf.gce_stock"]
    stock, shadow = (_nvme(given, shadow=by, jobs=1) for by in (False, True))
    ns = _fit(lambda ns: stock({**trap, **_guest(ns)}).rate, wanted, 7_000.0)
    return _rate(shadow(_guest(ns), RUN))


def _batched_doorbells(given: Given) -> Estimate:
    """Return what one doorbell for all that a process submits together gains on that system."""
    trap, wanted = {"exit_user": _trap(given)}, given["dbbuf.gce_stock"]
    stock, batched = (_nvme(given, shadow=False, jobs=1, batch=by) for by in (False, True))
    ns = _fit(lambda ns: stock({**trap, **_guest(ns)}).rate, wanted, 7_000.0)
    return _over(*(run({**trap, **_guest(ns)}, RUN) for run in (batched, stock)))


# -- V15: threads against the main loop -------------------------------------------------------


def _threads_over_main_loop(given: Given) -> Estimate:
    """Return a VM's many disks with a thread for each over all of them on the main loop.

    A disk has one queue, as then, and a vCPU, as many as there are disks: these are what limits.
    """
    from virtperf.scenario import Scenario

    disks, depth = given.count("huynh.disks"), given.count("huynh.depth")
    service = {"kind": "deterministic", "value": given["huynh.service"]}

    def seen(technique: str) -> Observed:
        load = {"kind": "closed", "outstanding": depth}
        several = [
            {"technique": technique, "device": f"disk{number}", "queues": 1, "load": load}
            for number in range(disks)
        ]
        data = {
            "platform": SERVER,
            "host": {"pcpus": given.count("huynh.pcpus")},
            "vm": [{"name": "guest", "vcpus": disks, "cpu": HARDWARE, "disks": several}],
            "device": {disk["device"]: {"channels": depth, "service": service} for disk in several},
        }
        return given.rates(Scenario.from_dict(data, name="huynh"), RUN)

    return _over(seen("virtio"), seen("virtio-main-loop"))


def _vhost_over_iothread(given: Given) -> Estimate:
    """Return a kernel worker per queue over one I/O thread, on a ramdisk."""
    from virtperf.scenario import Scenario

    vcpus, depth = given.count("vhostblk_ram.queue_vcpus"), given.count("vhostblk.depth")
    service = {"kind": "deterministic", "value": given["vhostblk_ram.service"]}
    seen = []
    for disk in ({"technique": "vhost-blk", "workers": "per-queue"}, {"technique": "virtio"}):
        vm = {
            "name": "guest",
            "vcpus": vcpus,
            "cpu": {"technique": "hardware"},
            "disk": {**disk, "device": "ram"},
            "load": {"kind": "closed", "jobs": vcpus, "outstanding": depth},
        }
        device = {"ram": {"channels": vcpus * depth, "service": service}}
        host = {"pcpus": given.count("vhostblk.pcpus")}
        data = {"platform": SERVER, "host": host, "vm": [vm], "device": device}
        seen.append(given.rates(Scenario.from_dict(data, name="ramdisk"), RUN))
    return _over(*seen)


# -- the claims -------------------------------------------------------------------------------

_VHOSTSCSI = (
    *(f"vhostscsi.{name}" for name in ("guest", "ceiling", "vcpus", "commands", "depth")),
    *("vhostscsi.pcpus", "vhostscsi.service"),
    *GUEST,
    *VHOST,
)
_DBBUF = (
    *(f"dbbuf.{name}" for name in ["null_stock", "null_shadow", "jobs", "depth"]),
    *(f"dbbuf.{name}" for name in ["gce_stock", "pcpus", "service"]),
    *GUEST,
    *QEMU,
    *IOTHREAD,
)
_LINEAR = "workers share nothing but the guest: the letter's own rates per job lie within 4 %"

IO_CLAIMS = (
    *(
        Claim(
            says=f"vhost with a worker per queue, {jobs} jobs on as many queues",
            outcome=f"vhostscsi_pervq.{jobs}",
            inputs=_VHOSTSCSI,
            predict=partial(_workers, workers="per-queue", jobs=jobs),
            tolerance=0.1,
            why=_LINEAR,
            slow=True,
        )
        for jobs in (2, 8, 12)
    ),
    Claim(
        says="vhost with a worker per queue, 16 jobs: beyond the straight line",
        outcome="vhostscsi_pervq.16",
        inputs=_VHOSTSCSI,
        predict=partial(_workers, workers="per-queue", jobs=16),
        tolerance=0.1,
        why=_LINEAR,
        slow=True,
        lacks="The letter names its device's limit of 1,024 commands, 64 for each of 16 jobs. In "
        "the model 64 are enough to keep a guest's CPU busy. What cost the measured machine 17 % "
        "per job (perhaps a shared tag map, memory, or too few cores) is not in the letter.",
    ),
    Claim(
        says="vhost with one worker for all queues, 4 jobs",
        outcome="vhostscsi_1w.4",
        inputs=_VHOSTSCSI,
        predict=partial(_workers, workers=1, jobs=4),
        tolerance=0.1,
        why="a server at its limit gives its service time, which is calibrated on the commit's "
        "ceiling, probably of the same measurement: what is predicted is that 4 jobs reach it",
        slow=True,
    ),
    Claim(
        says="vhost, 2 jobs: one worker over one per queue",
        outcome="vhostscsi_1w.2_over_pervq",
        inputs=_VHOSTSCSI,
        predict=_inversion,
        tolerance=0.1,
        why="a ratio on one machine",
        slow=True,
        lacks="In the model the guest's CPUs limit two jobs, and are calibrated on one job with "
        "a worker of its own: a shared worker cannot give them more. On the measured machine a "
        "busier worker seems to have spared the guest kicks, interrupts and wake-ups worth a fifth "
        "of its time; here there are next to none at this depth.",
    ),
    Claim(
        says="doorbells that trap, written once for all that a process submits, over once each",
        outcome="commit_rqs.gain",
        inputs=_DBBUF,
        predict=_batched_doorbells,
        within=(2.0, 3.0),
        why="the commit message says 2 to 3 times, of virtualized hardware that it does not name; "
        "here it is the system to which the trap's time was moved",
        slow=True,
    ),
    Claim(
        says="shadow doorbells: the trap's time moved from a null-backed device to another system",
        outcome="dbbuf_gce.with",
        inputs=_DBBUF,
        predict=_shadow_doorbells,
        tolerance=0.25,
        why="two systems of which nothing but the year is the same; the arithmetic alone, 22.8 us "
        "less 16, is 20 % off",
        slow=True,
    ),
    Claim(
        says="a thread for each of 8 fast disks over QEMU's main loop for all of them",
        outcome="huynh.threads_over_main_loop",
        inputs=(
            *(f"huynh.{name}" for name in ["disks", "depth", "pcpus", "service"]),
            *GUEST,
            *OF_GUEST,
            *QEMU,
            *VIRTIO,
            *IOTHREAD,
            *HOST,
        ),
        predict=_threads_over_main_loop,
        within=(5.0, 15.0),
        why="the figures are recalled, and how many disks they had is not sure: right side of the "
        "main loop, by the order of the disks",
        slow=True,
    ),
    Claim(
        says="a ramdisk, 4 vCPUs: a kernel worker per queue over one I/O thread",
        outcome="vhostblk_ram.vhost_4_over_virtio_4",
        inputs=(
            *("vhostblk.pcpus", "vhostblk.depth", "vhostblk_ram.service"),
            "vhostblk_ram.queue_vcpus",
            *GUEST,
            *OF_GUEST,
            *QEMU,
            *VIRTIO,
            *IOTHREAD,
            *HOST,
            *VHOST,
        ),
        predict=_vhost_over_iothread,
        tolerance=0.2,
        why="a ratio on one machine, for which absolute costs matter less",
        slow=True,
    ),
)
