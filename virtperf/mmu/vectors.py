"""Several neighbouring words as one, for which numba has no words but the compiler has.

It makes of them what the processor has: of four words one instruction with AVX2, two with SSE2.
What is called `ways` here is a constant and a multiple of four. No index is checked; the build that
checks them takes `virtperf.mmu.one_by_one` instead, which also says what each function does.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from virtperf import builds
from virtperf.mmu import one_by_one
from virtperf.mmu.one_by_one import LANES

_FOUR, _LINE = 4, 8
_WORD = ir.IntType(64)
_WORDS = ir.VectorType(_WORD, _FOUR)
_ZEROS = ir.Constant(_WORDS, [0] * _FOUR)
_NOTHING = ir.Constant(_WORDS, ir.Undefined)


@intrinsic
def _page_changes(typing: Any, words: Any, at: Any, pages: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, at, pages = args
        changed = _number(0)
        for lane in range(0, LANES, _FOUR):
            here = _load(builder, _place(context, builder, sig, array, at, lane))
            before = _load(builder, _place(context, builder, sig, array, at, lane - 1))
            mixed = builder.and_(builder.xor(here, before), _everywhere(builder, pages))
            differs = builder.icmp_signed("!=", mixed, _ZEROS)
            changed = builder.or_(changed, _bits(builder, differs, lane))
        return changed

    return types.int64(words, types.uint64, types.int64), generate


@intrinsic
def _one_page(typing: Any, words: Any, at: Any, like: Any, pages: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, at, like, pages = args
        wanted, mixed = _everywhere(builder, like), _ZEROS
        for lane in range(0, LANES, _FOUR):
            here = _load(builder, _place(context, builder, sig, array, at, lane))
            mixed = builder.or_(mixed, builder.xor(here, wanted))
        mixed = builder.and_(mixed, _everywhere(builder, pages))
        differs = builder.icmp_signed("!=", mixed, _ZEROS)
        return builder.icmp_unsigned("==", _bits(builder, differs, 0), _number(0))

    return types.boolean(words, types.uint64, types.int64, types.int64), generate


@intrinsic
def _fetch(typing: Any, words: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, at = args
        whole, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        data = context.make_array(sig.args[0])(context, builder, array).data
        for lane in range(0, LANES, _LINE):
            place = builder.gep(data, [builder.add(at, _number(lane))])
            how = [ir.Constant(whole, number) for number in (0, 2, 1)]  # to read; into L2; data
            builder.call(fetch, [builder.bitcast(place, byte), *how])
        return context.get_dummy_value()

    return types.void(words, types.uint64), generate


@intrinsic(prefer_literal=True)
def _put_first(typing: Any, keys: Any, start: Any, key: Any, ways: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, start, key, _ = args
        wanted, count = _everywhere(builder, key), ways.literal_value
        parts = range(0, count, _FOUR)
        places = [_place(context, builder, sig, array, start, way) for way in parts]
        held = [_load(builder, place) for place in places]
        found = _number(0)
        for way, here in zip(parts, held, strict=True):
            same = builder.icmp_signed("==", here, wanted)
            found = builder.or_(found, _bits(builder, same, way))
        last = builder.cttz(found, ir.Constant(ir.IntType(1), 0))
        window = builder.sub(_number(64), last)
        moving = wanted
        for way, place, here in zip(parts, places, held, strict=True):
            order = ir.Constant(ir.VectorType(ir.IntType(32), _FOUR), [3, 4, 5, 6])
            moved = builder.shuffle_vector(moving, here, order)
            changes = builder.and_(builder.xor(here, moved), _mask(builder, count, window, way))
            builder.store(builder.xor(here, changes), place, align=8)
            moving = here
        return builder.icmp_unsigned("!=", found, _number(0))

    return types.boolean(keys, types.uint64, types.int64, ways), generate


def _mask(builder: Any, count: int, window: Any, way: int) -> Any:
    """Return ones where a way moves.

    They are read from a table: of a comparison the compiler makes a masked store, which is slow.
    """
    table = ir.Constant(ir.ArrayType(_WORD, 65 + count), [-1] * 65 + [0] * count)
    kept = builder.module.globals.get(f"ways{count}")
    kept = kept or cgutils.global_constant(builder, f"ways{count}", table)
    place = builder.gep(kept, [_number(0), builder.add(window, _number(way))], inbounds=True)
    return _load(builder, builder.bitcast(place, _WORDS.as_pointer()))


def _number(value: int) -> Any:
    return ir.Constant(_WORD, value)


def _place(context: Any, builder: Any, sig: Any, array: Any, at: Any, more: int) -> Any:
    """Return the address of four words of an array."""
    data = context.make_array(sig.args[0])(context, builder, array).data
    place = builder.gep(data, [builder.add(at, _number(more))], inbounds=True)
    return builder.bitcast(place, _WORDS.as_pointer())


def _load(builder: Any, place: Any) -> Any:
    return builder.load(place, align=8)


def _everywhere(builder: Any, word: Any) -> Any:
    """Return four times a word."""
    first = builder.insert_element(_NOTHING, word, ir.Constant(ir.IntType(32), 0))
    order = ir.Constant(ir.VectorType(ir.IntType(32), _FOUR), [0] * _FOUR)
    return builder.shuffle_vector(first, _NOTHING, order)


def _bits(builder: Any, answers: Any, lane: int) -> Any:
    """Return four answers as bits of a word, from bit `lane` on."""
    bits = builder.zext(builder.bitcast(answers, ir.IntType(_FOUR)), _WORD)
    return builder.shl(bits, _number(lane))


one_page: Any = one_by_one.one_page if builds.CHECKED else _one_page
page_changes: Any = one_by_one.page_changes if builds.CHECKED else _page_changes
put_first: Any = one_by_one.put_first if builds.CHECKED else _put_first
fetch: Any = one_by_one.fetch if builds.CHECKED else _fetch
