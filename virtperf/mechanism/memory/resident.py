"""Which pages stay in memory when not all of them fit: LRU and the clock algorithm."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Literal, TypeVar

from virtperf.errors import ParameterError

K = TypeVar("K", bound=Hashable)

LEAST_PAGES = 6
"""The most pages one x86 instruction may need at once: it moves memory to memory, and its code,
its source and its destination each cross from one page into the next. With fewer, it would evict
what it needs for ever."""


class Resident(Generic[K]):
    """The pages in memory, and whose turn it is to leave.

    LRU is told of every use. A clock sees only whether a page's accessed flag is set when its hand
    comes by, clears it and goes on; it takes the first page that it finds unused since then.

    Parameters
    ----------
    limit : int
        Most pages in memory, at least `LEAST_PAGES`.
    policy : {'lru', 'clock'}
    owner : str
        Whose limit it is, for the error.

    Raises
    ------
    ParameterError
        If the limit is below what one instruction may need, or the policy is unknown.

    References
    ----------
    .. [1] F. J. Corbató, "A paging experiment with the Multics system", 1968: the clock.
    """

    def __init__(
        self, limit: int, policy: Literal["lru", "clock"] = "lru", *, owner: str = "guest"
    ) -> None:
        if limit < LEAST_PAGES:
            rule = (
                f"at least the {LEAST_PAGES} pages one instruction may need (code, source and "
                "destination, each across the edge of a page)"
            )
            raise ParameterError(owner, "resident", rule, limit)
        if policy not in ("lru", "clock"):
            raise ParameterError(owner, "policy", "lru or clock", policy)
        self.limit = limit
        self.policy = policy
        self._pages: OrderedDict[K, None] = OrderedDict()
        self.hand_moves = 0
        """Pages the clock's hand passed, each with its accessed flag cleared."""

    def __len__(self) -> int:
        return len(self._pages)

    def __contains__(self, page: K) -> bool:
        return page in self._pages

    def use(self, page: K) -> None:
        """Note a use of a page that is in memory."""
        if self.policy == "lru":
            self._pages.move_to_end(page)

    def add(self, page: K) -> None:
        """Bring a page in; there must be room (see `victim`)."""
        self._pages[page] = None

    def drop(self, page: K) -> None:
        """Let a page go, if it is there."""
        self._pages.pop(page, None)

    @property
    def is_full(self) -> bool:
        """Whether a page has to leave before another comes."""
        return len(self._pages) >= self.limit

    def victim(self, take_accessed: Callable[[K], bool] = lambda page: False) -> K:
        """Take out the page whose turn it is; there must be one.

        Parameters
        ----------
        take_accessed : callable
            Tells whether a page was accessed, and clears its flag; asked by the clock only.
        """
        while self.policy == "clock":
            page = next(iter(self._pages))
            if not take_accessed(page):
                break
            self._pages.move_to_end(page)
            self.hand_moves += 1
        return self._pages.popitem(last=False)[0]
