"""A stated process image: how much of what a process has mapped. Assumptions live in data files."""

from dataclasses import dataclass, fields
from typing import Literal

from virtperf.errors import ParameterError
from virtperf.params import ParameterSet

Bound = Literal["value", "low", "high"]
PAGES_PER_MIB = 256
MOST_KERNEL_PAGES = 512
"""What one last-level table maps: where they lie is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessImage:
    """What a process has mapped when it forks, and what is touched until the wait is over.

    Attributes
    ----------
    read_only_pages, writable_pages : int
        Mapped pages of 4 KiB.
    regions : int
        Last-level tables they are spread over.
    child_reads, child_writes : int
        Of these, the pages the child reads and writes before it exits.
    parent_writes : int
        Those the parent writes before it forks again.
    kernel_pages : int
        Pages of the kernel's own that are used while the child runs.
    """

    read_only_pages: int
    writable_pages: int
    regions: int
    child_reads: int
    child_writes: int
    parent_writes: int
    kernel_pages: int = 0

    def __post_init__(self) -> None:
        for name, least in (("writable_pages", 1), ("regions", 1)):
            if getattr(self, name) < least:
                raise ParameterError("image", name, f"at least {least}", getattr(self, name))
        if not 0 <= self.kernel_pages <= MOST_KERNEL_PAGES:
            rule = f"0 to {MOST_KERNEL_PAGES}"
            raise ParameterError("image", "kernel_pages", rule, self.kernel_pages)
        for name, most in (
            ("child_reads", self.read_only_pages),
            ("child_writes", self.writable_pages),
            ("parent_writes", self.writable_pages),
        ):
            if not 0 <= getattr(self, name) <= most:
                rule = f"0 to the {most} mapped pages of its kind"
                raise ParameterError("image", name, rule, getattr(self, name))

    @classmethod
    def of(cls, given: ParameterSet, bound: Bound = "value") -> "ProcessImage":
        """Return the image a file of ``models/images`` describes, at its values or at a bound."""
        return cls(**{f.name: int(_at(given, f.name, bound)) for f in fields(cls)})

    @property
    def pages(self) -> int:
        """All mapped pages."""
        return self.read_only_pages + self.writable_pages


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMapping:
    """A shared mapping of a file that is made, touched and unmapped.

    Attributes
    ----------
    pages : int
        Its size.
    stride, touches : int
        Distance of the pages that are written, and how many of them there are.
    """

    pages: int
    stride: int
    touches: int

    @classmethod
    def of(cls, given: ParameterSet, bound: Bound = "value") -> "FileMapping":
        """Return what lmbench's lat_mmap does with a file of the size the image gives."""
        pages = int(_at(given, "mapping_mib", bound) * PAGES_PER_MIB)
        stride = int(given["touch_stride_pages"].value)
        touched = pages * given["touch_share"].value
        return cls(pages=pages, stride=stride, touches=int(-(-touched // stride)))


def _at(given: ParameterSet, name: str, bound: Bound) -> float:
    """Return a number's value, or the bound it has."""
    number = getattr(given[name], bound)
    return given[name].value if number is None else float(number)
