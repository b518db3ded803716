"""Random systems through the compiled engine, compared with SimPy; prints how many it ran.

Run as ``VIRTPERF_CHECKED=1 python -m tests.property.fuzz FIRST LAST`` it looks for indices outside
of their tables, also where tables are too small at first.
"""

import sys

from tests.engines import both
from tests.random_systems import RandomSystem
from virtperf.fast import compiling, engine


def main(first: int, last: int) -> None:
    for seed in range(first, last):
        engine.ROOM = 1 if seed % 3 == 0 else 256
        depth, wide = (32 if seed % 2 else 4), seed % 5 == 0
        kind = {"credit": seed % 7 == 0, "contended": seed % 7 == 1}
        built = RandomSystem(seed, depth=depth, wide=wide, **kind).system()
        compiled, reference = both(built, seed=seed % 10 + 1, requests=400)
        assert compiled == reference, seed
    print(last - first, "checked" if compiling.CHECKED else "unchecked")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
