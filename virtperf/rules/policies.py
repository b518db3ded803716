"""The policies a pool can follow, by the number that `tables.Policy` gives them.

A policy is a module with these functions of the pool's and the workers' state:

* ``place(pool, pcpus, workers, w)``: the idle pCPU that a woken worker takes, or -1;
* ``enqueue(pool, workers, w, woken)``: it waits, woken or (0) because it lost its pCPU;
* ``pick(pool, workers, p)``: who is next on a pCPU, or -1;
* ``wanted(pool, workers, p)``: whether somebody waits for it, so that a slice must end;
* ``slice_of(pool, workers, w)``: how long a worker may run from its dispatch then;

and, if it needs them,

* ``preempts(pool, pcpus, workers, w)``: the pCPU whose worker must go for a woken one, or -1;
* ``tick(pool, pcpus, workers, p)``: every `PoolRow.tick`, whether the worker there must go;
* ``account(pool, workers, w, ran)``: charge it, at each tick and when it leaves its pCPU;
* ``refill(pool, workers, now)``: hand out, every `PoolRow.period`, what is charged;
* ``FIELDS``: names of the state it keeps in a worker; each starts at 0.
"""

from typing import Any

from virtperf.rules import pinned, round_robin

POLICIES: dict[int, Any] = {0: round_robin, 1: pinned}
_FIELDS = (name for policy in POLICIES.values() for name in getattr(policy, "FIELDS", ()))
FIELDS = tuple(dict.fromkeys(_FIELDS))
