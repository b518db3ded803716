"""Address streams, declared or recorded: arrays of words, one for each access to memory.

A word is ``(virtual address & ~0xfff) | flags``; see `virtperf.stream.words`. A stream comes in
chunks, so it may be longer than memory.
"""

from virtperf.stream.chunks import Reader, limited, regroup
from virtperf.stream.compose import CodeAndData, Mix, Phases, Slice, interleave
from virtperf.stream.declared import Stream, generate
from virtperf.stream.shapes import PointerChase, Strided, Uniform, sequential
from virtperf.stream.trace import load_trace, read_trace, write_trace
from virtperf.stream.words import FETCH, MODIFY, PAGE_BYTES, WRITE, pages_of, part_of
from virtperf.stream.zipf import Zipf

__all__ = [
    "FETCH",
    "MODIFY",
    "PAGE_BYTES",
    "WRITE",
    "CodeAndData",
    "Mix",
    "Phases",
    "PointerChase",
    "Reader",
    "Slice",
    "Stream",
    "Strided",
    "Uniform",
    "Zipf",
    "generate",
    "interleave",
    "limited",
    "load_trace",
    "pages_of",
    "part_of",
    "read_trace",
    "regroup",
    "sequential",
    "write_trace",
]
