"""What of a pCPU's TLB a worker works with, so that it must walk for it again after others."""

from dataclasses import dataclass

from virtperf.errors import ParameterError
from virtperf.units import ticks

MOST_NS = 3e10  # so that the rules' products fit: 2^45 ticks, times 2^18


@dataclass(frozen=True, slots=True, kw_only=True)
class Translations:
    """The TLB entries of a worker (see `rules.refill`).

    Attributes
    ----------
    walks_ns : float
        Time to walk for all of them, one after the other.
    entries : int
        How many they are.
    room : int
        All entries that the TLB holds for pages of that size.
    pages : int
        Pages of its data, of which the entries are some.
    touches_ns : float
        CPU time in which it refers to a page as often as there are pages.
    tagged : bool
        Whether the TLB tells entries of others apart; if not, it is emptied when others come.
    """

    walks_ns: float
    entries: int
    room: int
    pages: int
    touches_ns: float
    tagged: bool = True

    def checked(self, owner: str) -> "Translations":
        """Return it, having checked that it makes sense."""
        for field in ("walks_ns", "touches_ns"):
            if not 0 < ticks(getattr(self, field)) < ticks(MOST_NS):
                must = "above 0 and below half a minute"
                raise ParameterError(owner, f"tlb.{field}", must, getattr(self, field))
        if not 1 <= self.entries <= self.room < 1 << 20:
            must = f"from 1 to the TLB's room, {self.room}"
            raise ParameterError(owner, "tlb.entries", must, self.entries)
        if not self.entries <= self.pages < 1 << 32:
            must = f"from its {self.entries} entries to 2^32"
            raise ParameterError(owner, "tlb.pages", must, self.pages)
        return self


NO_TRANSLATIONS = Translations(walks_ns=0.0, entries=0, room=0, pages=0, touches_ns=0.0)
