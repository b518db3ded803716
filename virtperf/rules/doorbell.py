"""Doorbells: does one ring, and in which state does it find its consumer.

Suppression is never a consequence of "the consumer runs" but of what the consumer last wrote to
the ring. State: `bell` has ``rule produced event`` (indices into the ring: how many were ever
produced, and the one whose production shall ring), ``batch rung`` (hand-overs of its sender: the
one under way, and the last that rang), and ``pending timer count`` for moderation (entries not
told of, longest delay, most entries at once); `inbox` has ``in_turn told`` (flags) and
``notified`` (notifications under way); `worker` has ``state polling masked level queued``.
The numbers are those of `tables.rows`.
"""

from typing import Any

ALWAYS, EVENT_INDEX, MODERATED, UNLESS_IDLE, UNLESS_ABSENT, BATCH = 0, 1, 2, 3, 4, 5
RE_ENABLED = 6
ACTIVE, ASLEEP, POLLING, OTHER, PENDING = 0, 1, 2, 3, 4
WORKER_ASLEEP, WORKER_RUNNING, WORKER_BLOCKED = 0, 2, 4


def rings(bell: Any) -> int:
    """Return 1 if producing one more entry rings, else 0.

    Event index: it rings if the production crosses the published index, ``old <= event < new``
    (``vring_need_event`` of the VIRTIO specification, without its wrap at 16 bits). Batch: the
    first entry of what its sender hands over together rings for all of it.
    """
    if bell.rule == BATCH:
        return int(bell.rung != bell.batch)
    if bell.rule != EVENT_INDEX and bell.rule != RE_ENABLED:
        return 1
    if bell.event == bell.produced:
        return 1
    return 0


def edge(resumed: int, gathered: int) -> int:
    """Return where the `resumed`-th of those that were gathered is: 1 first, 2 last, 3 alone."""
    place = 0
    if resumed == 1:
        place += 1
    if resumed == gathered:
        place += 2
    return place


def spares(bell: Any, worker: Any) -> int:
    """Return 1 if a call to flush can wait until `worker` runs again, else 0.

    A guest's kernel need not interrupt a CPU that idles: that flushes before it runs a process
    again (lazy TLB mode of Linux). With its hypervisor's help it need not interrupt a vCPU either
    that has no pCPU, halted or preempted: that is flushed as it enters the guest.
    """
    if bell.rule != UNLESS_IDLE and bell.rule != UNLESS_ABSENT:
        return 0
    if worker.polling or worker.state == WORKER_ASLEEP:
        return 1
    if bell.rule == UNLESS_IDLE:
        return 0
    return int(worker.queued or worker.state == WORKER_BLOCKED)


def due(bell: Any) -> int:
    """Return when a moderated doorbell signals an entry it has just got.

    0: now; -1: with the timer that an earlier entry started; else after so many ticks. Moderation
    delays the signal, never the entry: a consumer that looks by itself finds it.
    """
    if bell.count > 0 and bell.pending >= bell.count:
        return 0
    if bell.pending > 1:
        return -1
    return int(bell.timer)


def publish(bell: Any) -> None:
    """Let the consumer ask to be told of the next entry, as it does before it stops looking."""
    bell.event = bell.produced


def withdraw(bell: Any) -> None:
    """Let the consumer ask not to be told, as it does when it begins to poll.

    It may have asked before it slept and been woken through another doorbell since. Who asks anew
    whenever its ring is empty, and then thinks better of it, has asked: with an event index there
    is no taking it back but by moving on, and the next entry rings.
    """
    if bell.rule == RE_ENABLED:
        bell.event = bell.produced
    else:
        bell.event = -1


def consumer_state(inbox: Any, worker: Any) -> int:
    """Return the state of the consumer of `inbox`, a level of `worker`.

    A vCPU that is in the host (its step is masked) takes an interrupt on its way back into the
    guest, as one that waits for a pCPU does: nobody has to force it out.
    """
    if inbox.in_turn or inbox.told or inbox.notified:
        return ACTIVE
    if worker.polling:
        return POLLING
    if worker.state == WORKER_ASLEEP:
        return ASLEEP
    if worker.state == WORKER_RUNNING and not worker.masked:
        return OTHER
    return PENDING


def cuts(inbox: Any, worker: Any) -> int:
    """Return 1 if being told about `inbox` ends at once what `worker` is doing, else 0.

    A poll ends; ordinary work that is not masked gives way to an interrupt; all else goes on.
    """
    if worker.polling:
        return 1
    if inbox.level == 1 and worker.level == 0 and worker.state == WORKER_RUNNING:
        return 1 - worker.masked
    return 0
