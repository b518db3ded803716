"""Translators, with every count worked out by hand."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from virtperf.errors import ParameterError
from virtperf.mechanism.block import PAGE_BYTES, Block, Instruction, block_of
from virtperf.mechanism.code_cache import CodeCache
from virtperf.mechanism.program import Program, discover, loop_program
from virtperf.mechanism.retranslation import Adaptive, StaticCounts, translate_image
from virtperf.mechanism.translator import Translator
from virtperf.mechanism.translator_counts import Counts

PLENTY = 1_000_000


def ring(blocks: int, end: str = "direct", size: int = 10) -> Program:
    return loop_program(blocks, instructions=5, size=size, end=end)


def translator(program: Program, capacity: int = PLENTY, **options) -> Translator:
    return Translator(program, CodeCache(capacity, expansion=4), **options)


def test_a_loop_of_three_blocks_is_translated_once_and_chained_after_its_first_pass():
    program = ring(3)
    assert translator(program).execute_loop(program.blocks, 100) == Counts(
        translated_blocks=3,
        translated_instructions=15,
        executed_blocks=300,
        executed_instructions=1500,
        dispatched_exits=3,  # each of the three edges once
        chained_exits=296,  # 299 exits, less those
        cache_bytes=120,
        peak_bytes=120,
    )


@pytest.mark.parametrize("passes", [2, 20, 2_000, 2_000_000_000])
def test_executed_counts_grow_with_the_passes_and_translations_do_not(passes):
    program = ring(7)
    counts = translator(program).execute_loop(program.blocks, passes)
    assert counts.translated_blocks == 7
    assert counts.executed_blocks == 7 * passes
    assert counts.executed_instructions == 35 * passes
    assert counts.chained_exits == 7 * passes - 1 - 7


@pytest.mark.parametrize("capacity", [360, 399])
@pytest.mark.parametrize("passes", [1, 2, 9, 100, 1_000_000])
def test_ten_blocks_in_room_for_nine_are_all_retranslated_in_every_pass(capacity, passes):
    """Nine blocks fill the cache; the tenth flushes it, and so on: one flush per 9 translations."""
    program = ring(10)
    counts = translator(program, capacity).execute_loop(program.blocks, passes)
    flushes = (10 * passes - 1) // 9
    assert counts == Counts(
        translated_blocks=10 * passes,
        translated_instructions=50 * passes,
        retranslated_blocks=10 * passes - 10,
        executed_blocks=10 * passes,
        executed_instructions=50 * passes,
        dispatched_exits=10 * passes - 1,  # a new block has no chain yet
        flushes=flushes,
        cache_bytes=40 * (10 * passes - 9 * flushes),
        peak_bytes=360,
    )


def test_ten_blocks_in_room_for_ten_are_translated_once():
    program = ring(10)
    counts = translator(program, 400).execute_loop(program.blocks, 100)
    assert (counts.translated_blocks, counts.retranslated_blocks, counts.flushes) == (10, 0, 0)
    assert (counts.dispatched_exits, counts.chained_exits) == (10, 989)


def test_the_cache_counts_skipped_passes_too():
    program = ring(10)
    work = translator(program, 360)
    counts = work.execute_loop(program.blocks, 12_345)
    assert work.cache.flushes == counts.flushes
    assert work.cache.translations == counts.translated_blocks
    assert work.cache.retranslations == counts.retranslated_blocks


def test_blocks_a_page_apart_do_not_share_a_jump_cache_entry():
    program = ring(3, "indirect", size=PAGE_BYTES)
    assert translator(program).execute_loop(program.blocks, 10).indirect_misses == 2


def test_an_indirect_loop_misses_the_jump_cache_once_per_block_but_the_first():
    program = ring(3, "indirect")
    counts = translator(program).execute_loop(program.blocks, 100)
    assert counts.translated_blocks == 3
    assert counts.indirect_lookups == 299
    assert counts.indirect_misses == 2  # the entry left the first block in the jump cache
    assert counts.chained_exits == counts.dispatched_exits == 0


@pytest.mark.parametrize("entries", [0, 1])
def test_blocks_that_share_a_jump_cache_entry_miss_every_time(entries):
    program = ring(3, "indirect")
    counts = translator(program, jump_cache_entries=entries).execute_loop(program.blocks, 100)
    assert counts.indirect_lookups == counts.indirect_misses == 299
    assert counts.translated_blocks == 3


def test_a_flush_of_the_jump_cache_spares_blocks_and_chains():
    calls, jumps = ring(3, "indirect"), ring(3, "direct")
    for program, misses, chained in ((calls, 2, 0), (jumps, 0, 29)):
        work = translator(program)
        work.execute_loop(program.blocks, 10)
        work.flush_jump_cache()
        counts = work.execute_loop(program.blocks, 10)
        assert counts.translated_blocks == 0
        assert (counts.indirect_misses, counts.chained_exits) == (misses, chained)


def test_exits_to_other_pages_are_not_chained_under_the_rule_of_system_mode():
    apart, together = ring(2, size=PAGE_BYTES), ring(2)
    far = translator(apart, chain_within_page=True).execute_loop(apart.blocks, 50)
    near = translator(together, chain_within_page=True).execute_loop(together.blocks, 50)
    assert (far.dispatched_exits, far.chained_exits) == (99, 0)
    assert (near.dispatched_exits, near.chained_exits) == (2, 97)


def test_a_written_page_loses_its_blocks_and_the_chains_at_them():
    program = ring(3, size=PAGE_BYTES)
    work = translator(program)
    work.execute_loop(program.blocks, 10)
    assert work.invalidate(1) == 1
    assert work.invalidate(1) == 0
    counts = work.execute_loop(program.blocks, 10)
    assert (counts.translated_blocks, counts.retranslated_blocks) == (1, 1)
    assert counts.dispatched_exits == 2  # into the new block and out of it
    assert counts.chained_exits == 27
    assert counts.cache_bytes == 4 * 4 * PAGE_BYTES  # the dropped block left its bytes behind


def test_the_jump_cache_forgets_the_blocks_of_a_written_page():
    program = ring(3, "indirect", size=PAGE_BYTES)
    work = translator(program)
    work.execute_loop(program.blocks, 10)
    work.invalidate(1)
    counts = work.execute_loop(program.blocks, 10)
    assert (counts.indirect_misses, counts.retranslated_blocks) == (1, 1)


def test_a_block_over_two_pages_is_dropped_by_a_write_to_either():
    for page in (0, 1):
        only = Block(address=PAGE_BYTES - 5, instructions=2, size=10, end="fallthrough")
        work = translator(Program([only]))
        work.execute([only.address])
        assert work.invalidate(page) == 1


def test_an_exit_of_a_block_that_its_successor_flushed_is_not_patched():
    program = ring(2)
    counts = translator(program, 40).execute(list(program.blocks) * 3)
    assert (counts.flushes, counts.dispatched_exits, counts.chained_exits) == (5, 5, 0)


def test_a_translated_size_is_rounded_up_and_no_further():
    assert CodeCache(100, expansion=1.1).translated_bytes(10) == 11
    assert CodeCache(100, expansion=1.5).translated_bytes(3) == 5


def test_counts_of_parts_add_up_to_those_of_the_whole():
    program = ring(4)
    work = translator(program)
    first = work.execute_loop(program.blocks, 3)
    second = work.execute_loop(program.blocks, 2)
    whole = translator(program).execute_loop(program.blocks, 5)
    # Entering from outside in between hides one exit.
    assert first + second == replace(whole, chained_exits=whole.chained_exits - 1)


def straight(count: int, size: int = 1) -> dict[int, Instruction]:
    return {i * size: Instruction(size) for i in range(count)}


@pytest.mark.parametrize("limit", [12, 512])
def test_a_block_ends_at_the_limit(limit):
    block = block_of(straight(1000), 100, limit)
    assert (block.instructions, block.size, block.end) == (limit, limit, "fallthrough")
    assert block.successors == (100 + limit,)


def test_a_block_ends_at_a_page_end_and_its_last_instruction_may_stick_out():
    block = block_of(straight(2000, size=3), PAGE_BYTES - 7)  # 4,089 is divisible by 3
    assert (block.instructions, block.end, block.successors) == (3, "fallthrough", (4098,))
    assert list(block.pages) == [0, 1]


def test_a_block_ends_at_a_branch_or_with_the_code():
    code = straight(10) | {4: Instruction(1, "direct", (0, 5))}
    assert block_of(code, 2) == Block(
        address=2, instructions=3, size=3, end="direct", successors=(0, 5)
    )
    assert block_of(code, 5).successors == ()


def test_a_branch_into_a_block_makes_another_that_overlaps():
    code = straight(10) | {4: Instruction(1, "direct", (2, 5))}
    assert sorted(discover(code, 0).blocks) == [0, 2, 5]


def test_a_walk_is_reproducible_and_follows_the_weights():
    table = Block(address=0, instructions=1, size=1, end="indirect", successors=(1, 2))
    handlers = [
        Block(address=a, instructions=9, size=1, end="direct", successors=(0,)) for a in (1, 2)
    ]
    program = Program([table, *handlers])
    walk = list(program.walk(1000, Random(7), {1: 9, 2: 1}))
    assert walk == list(program.walk(1000, Random(7), {1: 9, 2: 1}))
    visits = Counter(walk)
    assert visits[0] == 500
    assert visits[1] > 5 * visits[2] > 0
    assert 2 not in set(program.walk(1000, Random(7), {2: 0}))
    assert translator(program).execute(walk).translated_blocks == 3


def test_a_walk_ends_where_the_program_does():
    assert len(list(discover(straight(24), 0, limit=12).walk(100, Random(1)))) == 2


def test_a_static_image_is_translated_whole_and_falls_back_where_it_could_not_see():
    program = ring(3, "indirect", size=PAGE_BYTES)
    image = translate_image(1000, 4000, 1.5, known_targets={0, PAGE_BYTES})
    assert (image.translated_instructions, image.image_bytes) == (1000, 6000)
    path = list(program.blocks) * 10
    assert image.execute(program, path) == StaticCounts(
        executed_blocks=30, executed_instructions=150, fallbacks=10, fallback_instructions=50
    )
    image.modify(1)
    image.modify(2)  # falls back already
    assert image.execute(program, path).fallbacks == 20


def test_a_site_is_adapted_once_when_it_traps_more_often_than_the_threshold():
    adaptive = Adaptive(threshold=3, max_sites=10)
    assert [adaptive.trap(5) for _ in range(10)] == ["trap"] * 4 + ["callout"] * 6
    assert adaptive.trap(6) == "trap"
    assert (adaptive.traps, adaptive.retranslations, adaptive.callouts) == (5, 1, 6)


def test_sites_beyond_the_limit_trap_for_ever():
    adaptive = Adaptive(threshold=0, max_sites=1)
    assert [adaptive.trap(site) for site in (1, 2, 1, 2)] == ["trap", "trap", "callout", "trap"]


def block(**changes) -> Block:
    return Block(**{"address": 0, "instructions": 1, "size": 1, "end": "indirect"} | changes)


LOOP = ring(3)
FORK = Program([block(successors=(0, 0))])
WRONG = {
    "Block.address must be at least 0": lambda: block(address=-1),
    "Block.instructions must be at least 1": lambda: block(instructions=0),
    "Block.size must be 1 to 4096": lambda: block(size=4097),
    "Block.end must be": lambda: block(end="call"),
    "Block.successors must be 1 to 2": lambda: block(end="direct"),
    "Block.successors must be 0 to 1": lambda: block(end="fallthrough", successors=(0, 1)),
    "Program.blocks must be at least one": lambda: Program([]),
    "Program.blocks must be at distinct": lambda: Program([block(), block()]),
    "Program.successors must be": lambda: Program([block(successors=(8,))]),
    "Program.address must be the address": lambda: translator(LOOP).execute([5]),
    "Program.address must be a successor": lambda: translator(LOOP).execute([0, 20]),
    "Program.length must be": lambda: LOOP.walk(-1, Random(1)),
    "Program.weights.0. must be": lambda: LOOP.walk(1, Random(1), {0: -1.0}),
    "Program.weights must be": lambda: list(FORK.walk(9, Random(1), {0: 0})),
    "block_of.limit must be": lambda: block_of(straight(1), 0, 0),
    "block_of.address must be": lambda: block_of(straight(1), 1),
    "Instruction.size must be": lambda: block_of({0: Instruction(0)}, 0),
    "loop_program.blocks must be": lambda: ring(0),
    "loop_program.size must be": lambda: ring(1, size=0),
    "CodeCache.capacity_bytes must be at least 1": lambda: CodeCache(0, 1),
    "CodeCache.capacity_bytes must be at least the 40": lambda: translator(LOOP, 39),
    "CodeCache.expansion must be": lambda: CodeCache(1, 0),
    "CodeCache.expansion must be positive and": lambda: CodeCache(1, float("nan")),
    "Translator.jump_cache_entries must": lambda: translator(LOOP, jump_cache_entries=-1),
    "Translator.passes must be": lambda: translator(LOOP).execute_loop([0], -1),
    "Translator.page must be": lambda: translator(LOOP).invalidate(-1),
    "StaticImage.page must be": lambda: translate_image(1, 1, 1).modify(-1),
    "translate_image.image_instructions must": lambda: translate_image(0, 1, 1),
    "translate_image.image_bytes must be": lambda: translate_image(2, 1, 1),
    "translate_image.expansion must be": lambda: translate_image(1, 1, -1),
    "Adaptive.threshold must be": lambda: Adaptive(-1, 0),
    "Adaptive.max_sites must be": lambda: Adaptive(0, -1),
}


@pytest.mark.parametrize("says", WRONG)
def test_nonsense_is_refused_by_name(says):
    with pytest.raises(ParameterError, match=says):
        WRONG[says]()
