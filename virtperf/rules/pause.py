"""What becomes of a vCPU that spins too long: it exits, and gives its pCPU to another of its VM.

Hardware sees a loop of PAUSE instructions and leaves the guest when it has lasted for a *window*,
of which each vCPU has its own: it grows with each such exit, and is the base again when the vCPU is
put on a pCPU anew. A hypervisor that directs its yields (KVM) then looks for a vCPU of the same VM
that is ready, and so perhaps holds what the spinner waits for: in turn, from the one behind the one
favoured last. One that has itself just given way so is passed over every other time. (Linux,
kvm_vcpu_on_spin.)

State: a `worker` has ``pause_window pause_grow`` (0 is no window; what a window is multiplied by)
and ``spin_window gave_way eligible queued leader kin turn`` (its window now; it gave way and has
not run since; it is not passed over next time; it waits for a pCPU; the first and the next vCPU of
its VM; of the first, who is tried first). Times in ticks.
"""

from typing import Any

TRIES = 3  # that may fail before the spinner goes on spinning
LONGEST = 1 << 60
FOREVER = -1


def starts(worker: Any) -> None:
    """Let a worker that is put on a pCPU have its first window, and be like others again."""
    worker.spin_window = worker.pause_window
    worker.gave_way = worker.eligible = 0


def stretch(window: int, patience: int) -> int:
    """Return for how long a worker spins before it exits or sleeps, whichever is first.

    A `window` of 0 is none; a `patience` of -1, and the answer, are without end.
    """
    if window == 0:
        return patience
    if patience == FOREVER:
        return window
    return min(window, patience)


def grow(worker: Any) -> None:
    """Let the window of a worker that exits grow."""
    if worker.spin_window > LONGEST // worker.pause_grow:
        worker.spin_window = LONGEST
    else:
        worker.spin_window *= worker.pause_grow


def candidate(workers: Any, w: int, tried: int) -> int:
    """Return whom `w` should favour, behind `tried` (-1: the first to try); -1 if nobody is left.

    Who runs needs no favour, and who sleeps or is blocked has no use for one.
    """
    first = workers[workers[w].leader].turn
    i = first
    if tried != -1:
        i = _behind(workers, tried)
        if i == first:
            return -1
    while True:
        if i != w and workers[i].queued and _eligible(workers[i]):
            return i
        i = _behind(workers, i)
        if i == first:
            return -1


def _eligible(worker: Any) -> int:
    if not worker.gave_way:
        return 1
    eligible = worker.eligible
    worker.eligible = 1 - eligible
    return int(eligible)


def favoured(workers: Any, w: int) -> None:
    """Let the next look for somebody to favour begin behind `w`."""
    workers[workers[w].leader].turn = _behind(workers, w)


def _behind(workers: Any, w: int) -> int:
    """Return the next vCPU of the VM, in a ring."""
    if workers[w].kin == -1:
        return int(workers[w].leader)
    return int(workers[w].kin)
