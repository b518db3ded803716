"""How long an idle worker polls before it sleeps, and how that window follows what came of it.

State: `worker` has ``poll_kind poll_most poll_start poll_grow poll_shrink`` (see `tables.Poll`),
``window`` (what it is now, in ticks), ``came`` (how it came to the turn that begins), and
``state polling``.
"""

from typing import Any

EVENT_LOOP, HALT, GUEST, ENDLESS = 0, 1, 2, 3  # of `tables.PollKind`
AWAKE, WOKEN, NOTICED = 0, 1, 2  # how a worker came to its next turn: the last two were idle
ORDINARY = 0  # level
WORKER_ASLEEP = 0


def window(worker: Any, polled: int) -> int:
    """Return the window in ticks; 0 if the worker has polled since its last turn (`polled`)."""
    if polled and worker.poll_kind != ENDLESS:
        return 0
    return worker.window


def halted(worker: Any) -> int:
    """Return 1 if the guest of a vCPU has halted: it is asleep, or its host polls for it."""
    if worker.state == WORKER_ASLEEP:
        return 1
    if worker.polling and worker.poll_kind == HALT:
        return 1
    return 0


def adapted(worker: Any, level: int, idle: int) -> int:
    """Return the next window as a turn at `level` begins, after `idle` ticks; 0 start: the same.

    An event loop counts them from its last turn and heeds ordinary ones only, a host from the halt,
    a guest from the end of its own poll: who has found something there has not halted.
    """
    if worker.poll_start == 0:
        return worker.window
    if worker.poll_kind == EVENT_LOOP and level == ORDINARY:
        return event_loop(worker, idle)
    if worker.poll_kind == HALT and worker.came != AWAKE:
        return halt(worker, idle)
    if worker.poll_kind == GUEST and worker.came == WOKEN:
        return guest(worker, idle)
    return worker.window


def event_loop(worker: Any, idle: int) -> int:
    """Return the next window of QEMU's event loop.

    An idle time within the window changes nothing; one that no window may cover shrinks it; one
    that a longer window would have covered makes it grow. (QEMU, util/aio-posix.c.)
    """
    if idle <= worker.window:
        return worker.window
    if idle > worker.poll_most:
        return _shrunk(worker)
    return _grown(worker)


def halt(worker: Any, block: int) -> int:
    """Return the next window of KVM's halt polling; `block` ends with the wait for a pCPU.

    As in an event loop, but a block of exactly the longest window changes nothing, and a window
    that has shrunk below its first step is none. Every wake-up is valid, as on x86 and arm64; s390
    also knows others, which shrink the window. (Linux, virt/kvm/kvm_main.c.)
    """
    if block <= worker.window or block == worker.poll_most:
        return worker.window
    if block < worker.poll_most:
        return _grown(worker)
    after = _shrunk(worker)
    if after < worker.poll_start:
        return 0
    return after


def guest(worker: Any, block: int) -> int:
    """Return the next window of a Linux guest that polls before it halts, for `block` ticks.

    (Linux, drivers/cpuidle/governors/haltpoll.c.)
    """
    if block > worker.poll_most:
        return _shrunk(worker)
    if block > worker.window:
        return _grown(worker)
    return worker.window


def _grown(worker: Any) -> int:
    return min(max(worker.window * worker.poll_grow, worker.poll_start), worker.poll_most)


def _shrunk(worker: Any) -> int:
    if worker.poll_shrink == 0:
        return 0
    return worker.window // worker.poll_shrink
