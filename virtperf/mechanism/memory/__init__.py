"""Memory by its rules, without a clock: what the hardware looks up, and what software does about it.

The hardware (`geometry`, `tlb`, `walk_caches`, `walker`, `machine`) says what each access finds; the
software (`page_table`, `guest`, `pmap`, and a module per technique, from `paging` on) what happens
when tables do not allow it. All of it is plain Python; `virtperf.mmu` is the hardware compiled.
"""
