"""What a worker must load again after others ran on its pCPU: its caches, and its TLB entries.

State, of caches: `worker` has ``refill`` (time to load all it works with), ``forgets`` (how long
others must run until none of that is left), ``last`` (its last pCPU) and ``seen_ran`` (what had run
there when it left); `pcpu` has ``index`` and ``ran`` (what has run there so far). What others run
evicts evenly, whoever they are, and another pCPU knows nothing. Times are ticks.

State, of the TLB: `worker` has ``walks`` (time to walk for all entries it works with), ``entries``
(how many those are, of ``pages``), ``room`` (all that the TLB holds), ``touches`` (how long it is
until it has referred to a page as often as there are pages, at random), ``tagged`` (whether the TLB
tells the entries of others apart, so that they may stay), ``tlb_time`` (how long it has been on its
pCPU with nobody else coming in between) and ``seen_used`` (what had been used there when it left);
`pcpu` has ``used`` (entries that workers have used there so far, stay by stay), `pool` ``entries``
(those of all workers together).

Replacement is LRU, and trees are taken for it. What others have used since is younger: of D
entries, the m that have no room beside that are gone. Others that come several times use the same
entries again, so they are never more than all that others have. Whoever then refers to the D pages
in random order misses the m, and others that are evicted before their turn comes: one of its own
entries, the oldest there are, goes with each page that is done. That makes m (1 + ln (D / m))
misses; D where all is gone, or has to go for want of tags. It is exact where all its pages fit into
the TLB. Where they are more it would have missed some of those anyway, and a sixth of all entries
at most are walked for too much.
"""

from typing import Any

PARTS = 1024
ONE = 1 << 30  # as a fixed-point number
LN_2 = 744_261_118  # of that
UNIT = 1 << 18  # of what `decay` takes
EXPONENTIALS = (  # e^-8, e^-4, e^-2, e^-1, and so on to e^(-1/64)
    360_200, 19_666_268, 145_315_154, 395_007_542, 651_257_337, 836_230_973, 947_573_834,
    1_008_687_096, 1_040_706_261, 1_057_095_000,
)  # fmt: skip


def reload(pool: Any, worker: Any, pcpu: Any) -> int:
    """Return the time it takes to load again what is lost, in ticks."""
    ticks = 0
    if worker.refill:
        ticks += cached(worker, pcpu)
    if worker.walks:
        ticks += translated(pool, worker, pcpu)
    return ticks


def fresh(worker: Any, pcpu: Any) -> int:
    """Return 1 for a worker that has not run at all, on a pCPU where nobody has: both begin."""
    if pcpu.last == -1 and (worker.last == -1 or worker.last == pcpu.index):
        return 1
    return 0


def cached(worker: Any, pcpu: Any) -> int:
    """Return the time it takes to load again what the caches have lost."""
    others = pcpu.ran - worker.seen_ran
    if worker.last != pcpu.index or others >= worker.forgets:
        return int(worker.refill)
    return int(worker.refill * (others * PARTS // worker.forgets) // PARTS)


def translated(pool: Any, worker: Any, pcpu: Any) -> int:
    """Return the time it takes to walk again for what the TLB has lost."""
    if worker.last != pcpu.index or not worker.tagged:
        return int(worker.walks)
    others = min(pcpu.used - worker.seen_used, pool.entries - worker.entries)
    gone = worker.entries - worker.room + others
    lost = share_lost(worker.entries, gone)
    if lost == ONE:
        return int(worker.walks)
    return int(worker.walks // PARTS * (lost * PARTS // ONE))


def share_lost(entries: int, gone: int) -> int:
    """Return what part of all walks there will be, if so many of the entries are gone."""
    if gone <= 0:
        return 0
    if gone >= entries:
        return ONE
    share = gone * ONE // entries
    return share * (ONE + logarithm(entries, gone)) // ONE


def stays(worker: Any, pcpu: Any, ran: int) -> None:
    """Note what the TLB knows of a worker that leaves its pCPU after `ran` ticks."""
    if worker.walks:
        before = 0
        if worker.tlb_time:
            before = held(worker)
        worker.tlb_time += ran
        pcpu.used += held(worker) - before
    worker.seen_used = pcpu.used


def held(worker: Any) -> int:
    """Return how many entries a stay has used: P (1 - e^-x) of P pages, as far as there is room."""
    if worker.tlb_time >= 16 * worker.touches:
        return int(worker.entries)
    turns = worker.tlb_time // worker.touches
    rest = worker.tlb_time % worker.touches
    left = decay(turns * UNIT + rest * UNIT // worker.touches)
    return int(min(worker.entries, worker.pages * (ONE - left) // ONE))


def logarithm(whole: int, part: int) -> int:
    """Return ln (whole / part), as a fixed-point number; `whole` is not the smaller of them."""
    found = 0
    while whole >= 2 * part:
        part *= 2
        found += ONE
    ratio = whole * ONE // part  # from 1 to 2: its binary logarithm, bit by bit
    bit = ONE // 2
    while bit > ONE >> 16:
        ratio = ratio * ratio // ONE
        if ratio >= 2 * ONE:
            ratio //= 2
            found += bit
        bit //= 2
    return found * (LN_2 // PARTS) // (ONE // PARTS)


def decay(x: int) -> int:
    """Return e^-x as a fixed-point number; `x` is below 16, in parts of `UNIT`."""
    left = ONE
    power = 8 * UNIT
    for i in range(10):
        if x >= power:
            x -= power
            left = left * EXPONENTIALS[i] // ONE
        power //= 2
    return left
