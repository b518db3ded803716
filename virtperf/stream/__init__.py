"""Address streams, declared or recorded: arrays of words, one for each access to memory.

A word is ``(virtual address & ~0xfff) | flags``; see `virtperf.stream.words`. A stream comes in
chunks, so it may be longer than memory.
"""

from virtperf.stream.chunks import limited, regroup
from virtperf.stream.trace import load_trace, read_trace, write_trace
from virtperf.stream.words import FETCH, MODIFY, PAGE_BYTES, WRITE, pages_of, part_of

__all__ = [
    "FETCH",
    "MODIFY",
    "PAGE_BYTES",
    "WRITE",
    "limited",
    "load_trace",
    "pages_of",
    "part_of",
    "read_trace",
    "regroup",
    "write_trace",
]
