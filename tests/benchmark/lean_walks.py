"""TLBs of two levels and the walks behind them, as lean as plain Python says it.

There is an OrderedDict for each set and for each cache, and nothing that these cases do not need.
`Hardware` is the form to read: it handles every case, and is several times slower.
"""

from collections import OrderedDict

LEVELS = ((16, 4), (128, 12))
FIRST_TABLE = 1 << 35  # the guest-physical frame where the guest's tables begin


def two_levels(pages: list[int]) -> tuple[int, int]:
    """Count the misses of two TLB levels, as plainly as Python says it."""
    shapes = [([OrderedDict() for _ in range(sets)], sets, ways) for sets, ways in LEVELS]
    (first, sets1, ways1), (second, sets2, ways2) = shapes
    missed1 = missed2 = 0
    for page in pages:
        entries = first[page % sets1]
        if page in entries:
            entries.move_to_end(page)
            continue
        missed1 += 1
        if len(entries) == ways1:
            entries.popitem(last=False)
        entries[page] = None
        entries = second[page % sets2]
        if page in entries:
            entries.move_to_end(page)
            continue
        missed2 += 1
        if len(entries) == ways2:
            entries.popitem(last=False)
        entries[page] = None
    return missed1, missed2


def with_walks(pages: list[int]) -> tuple[int, int, int]:
    """Count the misses of two TLB levels, and the table reads of walks with prefix caches."""
    shapes = [([OrderedDict() for _ in range(sets)], sets, ways) for sets, ways in LEVELS]
    (first, sets1, ways1), (second, sets2, ways2) = shapes
    caches = [(OrderedDict(), 9, 32), (OrderedDict(), 18, 16), (OrderedDict(), 27, 4)]
    missed1 = missed2 = reads = 0
    for page in pages:
        entries = first[page % sets1]
        if page in entries:
            entries.move_to_end(page)
            continue
        missed1 += 1
        if len(entries) == ways1:
            entries.popitem(last=False)
        entries[page] = None
        entries = second[page % sets2]
        if page in entries:
            entries.move_to_end(page)
            continue
        missed2 += 1
        if len(entries) == ways2:
            entries.popitem(last=False)
        entries[page] = None
        reads += 1
        for held, shift, most in caches:
            prefix = page >> shift
            if prefix in held:
                held.move_to_end(prefix)
                break
            if len(held) == most:
                held.popitem(last=False)
            held[prefix] = None
            reads += 1
    return missed1, missed2, reads


def nested_walks(
    pages: list[int], prefixes: tuple[int, ...], nested: tuple[int, ...], nested_tlb: int
) -> tuple[int, int, int, int]:
    """Count misses and table reads, guest's and host's, of nested walks, 4K on 4K.

    `prefixes` and `nested` are the entries of both dimensions' caches, from 2 MiB prefixes on.
    """
    shapes = [([OrderedDict() for _ in range(sets)], sets, ways) for sets, ways in LEVELS]
    (first, sets1, ways1), (second, sets2, ways2) = shapes
    caches = [(OrderedDict(), 9 * up, most) for up, most in enumerate(prefixes, 1)]
    beyond = [(OrderedDict(), 9 * up, most) for up, most in enumerate(nested, 1)]
    frames: dict[tuple[int, int], int] = {}
    known: OrderedDict[int, None] = OrderedDict()
    missed1 = missed2 = guest = host = 0
    for page in pages:
        entries = first[page % sets1]
        if page in entries:
            entries.move_to_end(page)
            continue
        missed1 += 1
        if len(entries) == ways1:
            entries.popitem(last=False)
        entries[page] = None
        entries = second[page % sets2]
        if page in entries:
            entries.move_to_end(page)
            continue
        missed2 += 1
        if len(entries) == ways2:
            entries.popitem(last=False)
        entries[page] = None
        reads = 1
        for held, shift, most in caches:
            prefix = page >> shift
            if prefix in held:
                held.move_to_end(prefix)
                break
            if len(held) == most:
                held.popitem(last=False)
            held[prefix] = None
            reads += 1
        guest += reads
        # The frames to find: those of the guest's tables, the first of which a prefix knows, and
        # that of the data.
        start = reads if reads > len(caches) else reads - 1
        wanted = []
        for level in range(start, 0, -1):
            table = (level, page >> 9 * level)
            if table not in frames:
                frames[table] = FIRST_TABLE + len(frames)
            wanted.append(frames[table])
        wanted.append(page)
        for frame in wanted:
            if frame in known:
                known.move_to_end(frame)
                continue
            if len(known) == nested_tlb:
                known.popitem(last=False)
            known[frame] = None
            host += 1
            for held, shift, most in beyond:
                prefix = frame >> shift
                if prefix in held:
                    held.move_to_end(prefix)
                    break
                if len(held) == most:
                    held.popitem(last=False)
                held[prefix] = None
                host += 1
    return missed1, missed2, guest, host
