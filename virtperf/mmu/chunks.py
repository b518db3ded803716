"""Accesses as the kernels take them: one kind of array, or each kind would be compiled anew."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64] | Iterable[NDArray[np.uint64]]
"""Accesses: one array, or chunks of any size."""


def chunks_of(words: Words) -> Iterator[NDArray[np.uint64]]:
    """Yield chunks as contiguous arrays that may be written to; a copy is made of others only."""
    for chunk in [words] if isinstance(words, np.ndarray) else words:
        yield np.require(chunk, dtype=np.uint64, requirements=["C", "W"])
