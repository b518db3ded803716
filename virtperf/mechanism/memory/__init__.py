"""Memory hardware and page tables, as plainly as Python says them: state without a clock.

`virtperf.mmu` is the same hardware over arrays, compiled, and held equal to this access by access.
"""
