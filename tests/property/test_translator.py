"""Translators and the multicall queue against slow and obvious twins."""

from dataclasses import asdict, fields
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtperf.mechanism.block import PAGE_BYTES, Block
from virtperf.mechanism.code_cache import CodeCache
from virtperf.mechanism.multicall import Batch, MulticallQueue
from virtperf.mechanism.program import Program
from virtperf.mechanism.retranslation import Adaptive
from virtperf.mechanism.translator import Translator
from virtperf.mechanism.translator_counts import Counts

pytestmark = pytest.mark.property
EXAMPLES = settings(max_examples=400)


class NaiveTranslator:
    """The same machine as lists that are searched from end to end."""

    def __init__(self, program, capacity, expansion, entries, within_page):
        self.blocks, self.capacity, self.expansion = program.blocks, capacity, expansion
        self.entries, self.within_page = entries, within_page
        self.buffer = []  # [address, bytes, alive]
        self.history, self.chains, self.peak = [], [], 0
        self.jump_cache = [None] * entries

    def alive(self, address):
        return any(a == address and living for a, _, living in self.buffer)

    def used(self):
        return sum(size for _, size, _ in self.buffer)

    def look_up(self, block, counts):
        if not self.alive(block.address):
            size = ceil(block.size * self.expansion)
            if self.used() + size > self.capacity:
                self.buffer, self.chains = [], []
                self.jump_cache = [None] * self.entries
                counts["flushes"] += 1
            self.buffer.append([block.address, size, True])
            counts["translated_blocks"] += 1
            counts["translated_instructions"] += block.instructions
            counts["retranslated_blocks"] += block.address in self.history
            self.history.append(block.address)
            self.peak = max(self.peak, self.used())
        if self.entries:
            slot = (block.address ^ block.address // self.entries) % self.entries
            self.jump_cache[slot] = block.address

    def execute(self, path):
        counts = dict.fromkeys(COUNTS, 0)
        before = None
        for block in (self.blocks[address] for address in path):
            if before is None:
                self.look_up(block, counts)
            elif before.end == "indirect":
                counts["indirect_lookups"] += 1
                if block.address not in self.jump_cache:
                    counts["indirect_misses"] += 1
                    self.look_up(block, counts)
            elif [before.address, block.address] in self.chains:
                counts["chained_exits"] += 1
            else:
                counts["dispatched_exits"] += 1
                self.look_up(block, counts)
                same = before.address // PAGE_BYTES == block.address // PAGE_BYTES
                if self.alive(before.address) and (same or not self.within_page):
                    self.chains.append([before.address, block.address])
            counts["executed_blocks"] += 1
            counts["executed_instructions"] += block.instructions
            before = block
        return counts | {"cache_bytes": self.used(), "peak_bytes": self.peak}

    def invalidate(self, page):
        doomed = []
        for entry in self.buffer:
            first = entry[0]
            last = first + self.blocks[first].size - 1
            if entry[2] and page in (first // PAGE_BYTES, last // PAGE_BYTES):
                entry[2] = False
                doomed.append(first)
        self.chains = [c for c in self.chains if c[0] not in doomed and c[1] not in doomed]
        self.jump_cache = [None if a in doomed else a for a in self.jump_cache]
        return len(doomed)

    def flush_jump_cache(self):
        self.jump_cache = [None] * self.entries


LEVELS = ("cache_bytes", "peak_bytes")
COUNTS = [field.name for field in fields(Counts) if field.name not in LEVELS]


@st.composite
def programs(draw):
    count = draw(st.integers(1, 7))
    addresses, at = [], 0
    sizes = draw(st.lists(st.integers(1, 40), min_size=count, max_size=count))
    for size in sizes:
        at += draw(st.sampled_from([0, 0, 3, PAGE_BYTES - 20]))
        addresses.append(at)
        at += size
    blocks = []
    for address, size in zip(addresses, sizes, strict=True):
        end = draw(st.sampled_from(["direct", "direct", "indirect", "fallthrough"]))
        # A ring with shortcuts, so that most walks are long and most loops close.
        ring = [*addresses, addresses[0]][addresses.index(address) + 1]
        shortcuts = {"direct": 1, "indirect": 3, "fallthrough": 0}[end]
        more = draw(st.lists(st.sampled_from(addresses), max_size=shortcuts))
        blocks.append(
            Block(
                address=address,
                instructions=draw(st.integers(1, size)),
                size=size,
                end=end,
                successors=(ring, *more),
            )
        )
    return Program(blocks)


@st.composite
def pairs(draw):
    """A program, its translator, and the twin of that."""
    program = draw(programs())
    expansion = draw(st.sampled_from([1, 2.5, 4]))
    largest = ceil(max(block.size for block in program.blocks.values()) * expansion)
    capacity = largest + draw(st.sampled_from([0, 0, 10, 30, 60, 100, 200, 2000]))
    entries = draw(st.sampled_from([0, 1, 2, 3, 5, 64]))
    within = draw(st.booleans())
    fast = Translator(
        program,
        CodeCache(capacity, expansion),
        jump_cache_entries=entries,
        chain_within_page=within,
    )
    return program, fast, NaiveTranslator(program, capacity, expansion, entries, within)


def path_of(program, picks):
    addresses = sorted(program.blocks)
    path = [addresses[picks[0] % len(addresses)]]
    for pick in picks[1:]:
        successors = program.blocks[path[-1]].successors
        path.append(successors[pick % len(successors)])
    return path


def loop_of(program, picks):
    """The longest part from the start of a path that can be repeated; None if there is none."""
    path = path_of(program, picks)
    while path and path[0] not in program.blocks[path[-1]].successors:
        path.pop()
    return path or None


PICKS = st.lists(st.one_of(st.just(0), st.integers(0, 6)), min_size=4, max_size=25)
ACTIONS = st.one_of(
    st.tuples(st.just("execute"), PICKS),
    st.tuples(st.just("loop"), PICKS, st.integers(0, 60)),
    st.tuples(st.just("invalidate"), st.integers(0, 3)),
    st.tuples(st.just("flush")),
)


@given(pair=pairs(), actions=st.lists(ACTIONS, max_size=8))
@EXAMPLES
def test_any_sequence_of_events_gives_the_counts_of_the_naive_translator(pair, actions):
    program, fast, naive = pair
    for kind, *rest in actions:
        if kind == "execute":
            path = path_of(program, rest[0])
            assert asdict(fast.execute(path)) == naive.execute(path)
        elif kind == "loop" and (path := loop_of(program, rest[0])):
            assert asdict(fast.execute_loop(path, rest[1])) == naive.execute(path * rest[1])
        elif kind == "invalidate":
            assert fast.invalidate(rest[0]) == naive.invalidate(rest[0])
        elif kind == "flush":
            fast.flush_jump_cache()
            naive.flush_jump_cache()
        assert fast.cache.retranslations == len(naive.history) - len(set(naive.history))


@given(pair=pairs(), picks=PICKS, passes=st.integers(100, 400))
@EXAMPLES
def test_a_long_loop_is_as_exact_as_all_its_passes(pair, picks, passes):
    program, fast, naive = pair
    if path := loop_of(program, picks):
        assert asdict(fast.execute_loop(path, passes)) == naive.execute(path * passes)


@given(pair=pairs(), picks=PICKS)
def test_every_exit_is_counted_as_one_of_three_kinds(pair, picks):
    program, fast, _ = pair
    counts = fast.execute(path_of(program, picks))
    exits = counts.chained_exits + counts.dispatched_exits + counts.indirect_lookups
    assert exits == counts.executed_blocks - 1
    assert counts.cache_bytes <= counts.peak_bytes <= fast.cache.capacity_bytes


@given(
    sites=st.lists(st.integers(0, 4), max_size=60),
    threshold=st.integers(0, 5),
    limit=st.integers(0, 4),
)
def test_adaptive_sites_follow_from_the_list_of_earlier_answers(sites, threshold, limit):
    adaptive = Adaptive(threshold, limit)
    said, adapted = [], []
    for site in sites:
        expected = "callout" if site in adapted else "trap"
        said.append((site, expected))
        if said.count((site, "trap")) > threshold and site not in adapted and len(adapted) < limit:
            adapted.append(site)
        assert adaptive.trap(site) == expected
    answers = [answer for _, answer in said]
    assert adaptive.traps == answers.count("trap")
    assert adaptive.callouts == answers.count("callout")
    assert adaptive.retranslations == len(adapted)


def laid_out(calls):
    """End of the argument buffer that these calls fill, each a kind and its sizes."""
    at = 0
    for _, sizes in calls:
        while at % 8:
            at += 1
        at += sum(sizes)
    return at


def naive_batch(calls):
    updates = sum(len(sizes) for kind, sizes in calls if kind == "mmu_update")
    return Batch(calls=len(calls), updates=updates, argument_bytes=laid_out(calls))


REQUESTS = st.lists(
    st.one_of(
        st.just("flush"),
        st.tuples(st.integers(0, 63), st.sampled_from(["mmu_update", "mmuext_op", "other"])),
        st.just((16, "mmu_update")),
    ),
    max_size=80,
)


@given(requests=REQUESTS, max_calls=st.integers(1, 6), room=st.sampled_from([64, 80, 96, 101]))
@EXAMPLES
def test_batches_are_those_of_a_list_laid_out_anew_each_time(requests, max_calls, room):
    queue, calls, batches = MulticallQueue(max_calls, room), [], []
    for request in requests:
        if request == "flush":
            expected = naive_batch(calls) if calls else None
            calls = []
            got = queue.flush()
        else:
            size, kind = request
            expected = None
            longer = [*calls[:-1], (kind, [*calls[-1][1], size])] if calls else []
            if calls and calls[-1][0] == kind != "other" and laid_out(longer) < room:
                calls = longer
            elif len(calls) < max_calls and laid_out([*calls, (kind, [size])]) < room:
                calls = [*calls, (kind, [size])]
            else:
                expected, calls = naive_batch(calls), [(kind, [size])]
            got = queue.add(size, kind)
        assert got == expected
        batches += [expected] if expected else []
    assert queue.hypercalls == len(batches)
    assert queue.calls == sum(batch.calls for batch in batches)
    assert queue.updates == sum(batch.updates for batch in batches)
    assert queue.batch_sizes.total() == len(batches)
