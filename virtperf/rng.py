"""Randomness named by purpose: the same name, the same numbers, whoever asks, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING

from virtperf.errors import ParameterError
from virtperf.units import MAX_TICKS, TICKS_PER_NS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 1024  # most streams of a run are short, and what is drawn too much is lost


def stream(seed: int, replication: int, purpose: str) -> np.random.Generator:
    """Return the generator of one purpose in one replication.

    The same three arguments give the same numbers in any process and at any design point, so
    alternatives meet the same arrivals (common random numbers), and a new purpose does not disturb
    the old ones.

    Parameters
    ----------
    seed : int
        Root of all randomness of an experiment, at least 0.
    replication : int
        Number of the independent run, at least 0.
    purpose : str
        What the numbers are for, for example ``"vm[0].disk/think"``.

    Returns
    -------
    numpy.random.Generator
        A PCG64 generator.
    """
    import numpy as np

    for field, value in (("seed", seed), ("replication", replication)):
        if value < 0:
            raise ParameterError("stream", field, "at least 0", value)
    digest = blake2b(purpose.encode(), digest_size=8).digest()
    hi, lo = divmod(int.from_bytes(digest, "big"), 2**32)
    return np.random.Generator(
        np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(replication, hi, lo)))
    )


def blocks(
    seed: int,
    replication: int,
    purpose: str,
    draw: Callable[[np.random.Generator, int], NDArray[np.float64]],
) -> Iterator[NDArray[np.int64]]:
    """Yield the draws of one purpose, in ticks, 1,024 at a time.

    Parameters
    ----------
    seed, replication, purpose
        Name of the stream, see `stream`.
    draw : callable
        ``draw(generator, n)`` returns `n` times in ns, for example ``Exponential(900).draw``.

    Raises
    ------
    ParameterError
        If a draw is negative, not a number, or longer than 106 days.
    """
    generator = stream(seed, replication, purpose)
    while True:
        yield _to_ticks(draw(generator, BLOCK), purpose)


def draws(
    seed: int,
    replication: int,
    purpose: str,
    draw: Callable[[np.random.Generator, int], NDArray[np.float64]],
) -> Iterator[int]:
    """Return the draws of one purpose, in ticks, one Python int at a time, without end.

    Parameters as in `blocks`.

    Examples
    --------
    >>> import numpy as np
    >>> next(draws(1, 0, "vm/think", lambda rng, n: np.full(n, 2.5)))
    2500
    """
    return chain.from_iterable(block.tolist() for block in blocks(seed, replication, purpose, draw))


def _to_ticks(times_ns: NDArray[np.float64], purpose: str) -> NDArray[np.int64]:
    """Round as `virtperf.units.ticks` does, all at once."""
    import numpy as np

    scaled = np.asarray(times_ns, dtype=np.float64) * TICKS_PER_NS
    least, most = scaled.min(initial=1.0), scaled.max(initial=0.0)
    if not (least >= 0 and most < MAX_TICKS):  # nor if one is not a number
        good = (scaled >= 0) & (scaled < MAX_TICKS)
        culprit = float(scaled[~good][0] / TICKS_PER_NS)
        raise ParameterError("draw", purpose, "a time from 0 ns to 106 days", culprit)
    np.rint(scaled, out=scaled) if least >= 1 else _round(scaled)
    return scaled.astype(np.int64)


def _round(scaled: NDArray[np.float64]) -> None:
    """Round in place, a positive time never to 0."""
    import numpy as np

    positive = scaled > 0
    np.rint(scaled, out=scaled)
    scaled[positive & (scaled < 1)] = 1
