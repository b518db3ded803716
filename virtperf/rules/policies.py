"""The policies a pool can follow, by the number that `tables.Policy` gives them.

A policy is a module of functions of the pool, its pCPUs and workers. Where `home` says so, waiting
workers have a pCPU each; `now` is the instant. First come those that every policy has:

* ``place(pool, pcpus, workers, w, now)``: the idle pCPU that a woken worker takes at once, or -1;
* ``enqueue(pool, pcpus, workers, w, woken, now)``: it waits: because it was woken (1), or because
  it lost its pCPU (0);
* ``pick(pool, pcpus, workers, p, now)``: who is next on an empty pCPU, or -1;
* ``due(pool, pcpus, workers, p, now)``: the instant at which to look again who runs on a pCPU that
  is busy, or -1 if nobody wants it; asked anew as somebody begins to wait, and after each look;
  while it is -1, and no longer, a host may poll for a halted vCPU there;
* ``wanted(pool, pcpus, workers, p, now)``: 1 if, at such a look, the worker there must go;

then those that one has if it needs them:

* ``reset(pool, pcpus, workers)``: before the first instant; each of its fields is 0 until then;
* ``home(pool, pcpus, workers, w)``: the pCPU whose `due` changes as `w` begins to wait; without
  it, or at -1, those of all pCPUs that have none;
* ``preempts(pool, pcpus, workers, w, now)``: after a woken worker was enqueued: the pCPU that must
  choose anew for its sake, or -1;
* ``yields(pool, pcpus, workers, w, now)``: `w` gives up its pCPU but wants it back, and waits
  until then; without it, as one that lost its pCPU;
* ``favour(pool, pcpus, workers, w, now)``: let `w`, which waits, be the next one where it does: 1,
  or 0 if that cannot be; without it, it never can;
* ``starts(pool, pcpus, workers, p, w, now)``: `w` begins to run on `p`;
* ``account(pool, pcpus, workers, w, ran, now)``: charge it, before each look and tick, and when it
  leaves its pCPU;
* ``leaves(pool, pcpus, workers, w, now)``: it has been charged, and sleeps or blocks from now on;
* ``tick(pool, pcpus, workers, p, now)``: every `PoolRow.tick`, if somebody runs on `p`: 1 if it
  must go;
* ``moves(pool, pcpus, workers, p, now)``: before a tick: the idle pCPU that is a better place for
  who runs on `p`, or -1; unless that must go, it runs there from now on;
* ``refill(pool, pcpus, workers, now)``: hand out, every `PoolRow.period`, what is charged;
* ``regroups(pool, pcpus, workers, now)``: somebody begins to wait, or left: 1 if all pCPUs must
  choose anew, as after a refill;
* ``must_go(pool, pcpus, workers, p, now)``: then: 1 if the worker on `p` must go;
* ``why_idle(pool, pcpus, workers, p)``: what keeps an empty pCPU idle, an `Idle`.

Its names of constants and of state are data:

* ``CONSTANTS``: whole numbers in the pool that a system sets, times in ticks;
* ``POOL_FIELDS``, ``PCPU_FIELDS``, ``WORKER_FIELDS``: state it keeps in these rows.

The pool has ``count idle crew slice tick period`` (pCPUs, idle ones, workers), a pCPU ``worker last
dispatched charged`` (who runs there, who did before, since when, until when `account` has charged
it), a worker ``weight cap leader kin affinity pin last next``: see `tables.WorkerRow`;
`waiting.may_run` reads affinities.
"""

from typing import Any

from virtperf.rules import cfs, credit, credit2, eevdf, gang, pinned, relaxed_gang, round_robin

POLICIES: dict[int, Any] = {
    0: round_robin,
    1: pinned,
    2: credit,
    3: credit2,
    4: cfs,
    5: eevdf,
    6: gang,
    7: relaxed_gang,
}


_ALL = {
    kind: tuple(dict.fromkeys(name for one in POLICIES.values() for name in getattr(one, kind, ())))
    for kind in ("CONSTANTS", "POOL_FIELDS", "PCPU_FIELDS", "WORKER_FIELDS")
}
CONSTANTS, POOL_FIELDS = _ALL["CONSTANTS"], _ALL["POOL_FIELDS"]
PCPU_FIELDS, WORKER_FIELDS = _ALL["PCPU_FIELDS"], _ALL["WORKER_FIELDS"]
