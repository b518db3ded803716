"""What every distribution of a time answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sampler: TypeAlias = Callable[[np.random.Generator, int], NDArray[np.float64]]


@runtime_checkable
class Distribution(Protocol):
    """What every distribution of a time answers."""

    @property
    def mean(self) -> float:
        """Mean, in ns."""

    @property
    def scv(self) -> float:
        """Squared coefficient of variation."""

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return the first `n` times, in ns."""

    def sampler(self) -> Sampler:
        """Return a fresh function like `draw` whose calls go on where the one before ended."""

    def scaled(self, factor: float) -> Distribution:
        """Return the distribution of `factor` times this time."""

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of the draws does not exceed, in ns."""

    def as_dict(self) -> dict[str, Any]:
        """Return what `distribution` reads."""


class Independent(ABC):
    """Times none of which depends on another one."""

    __slots__ = ()

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return `n` independent times, in ns."""

    def sampler(self) -> Sampler:
        """Return `draw`: there is nothing to remember."""
        return self.draw
