"""What a worker must load again after others ran on its pCPU: caches and TLB, as one reload.

State: `worker` has ``refill`` (time to load all it works with), ``forgets`` (how long others must
run until none of that is left), ``last`` (its last pCPU) and ``seen_ran`` (what had run on that
pCPU when it left); `pcpu` has ``index`` and ``ran`` (what has run there so far). Times are ticks.

A simple model: what others run evicts evenly, whoever they are, and another pCPU knows nothing.
"""

from typing import Any

PARTS = 1024


def reload(worker: Any, pcpu: Any) -> int:
    """Return the time it takes to load again what is lost, in ticks."""
    if worker.refill == 0:
        return 0
    others = pcpu.ran - worker.seen_ran
    if worker.last != pcpu.index or others >= worker.forgets:
        return worker.refill
    return worker.refill * (others * PARTS // worker.forgets) // PARTS
