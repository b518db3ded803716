"""Tables in memory that compiled code reads by row: ``workers(s)[w].state``.

numba passes an array as seven words and counts references to it; an engine that hands twenty
tables from function to function then does little else. Here the state of a run is one record,
which holds the address and the length of every table; a table is these two numbers, its row a
pointer. Rules index it as they index a list of objects. In the checked build every index is held
against the length.
"""

import operator
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

from virtperf.fast.compiling import CHECKED

WORD = np.dtype("i8")


class Table(types.Type):
    """The type of a table: of its rows, and how many bytes there are from one to the next."""

    def __init__(self, called: str, dtype: "np.dtype[Any]") -> None:
        self.called = called
        self.row = numba.from_dtype(dtype)
        self.stride = dtype.itemsize
        super().__init__(f"Table({called})")


@register_model(Table)
class _Model(models.StructModel):
    def __init__(self, manager: Any, table: Table) -> None:
        super().__init__(manager, table, [("address", types.intp), ("length", types.intp)])


@infer_global(operator.getitem)
class _Get(AbstractTemplate):
    def generic(self, args: tuple[Any, ...], kws: object) -> Any:
        if isinstance(args[0], Table):
            return signature(args[0].row, args[0], types.intp)
        return None


@infer_global(operator.setitem)
class _Set(AbstractTemplate):
    def generic(self, args: tuple[Any, ...], kws: object) -> Any:
        if isinstance(args[0], Table):
            return signature(types.none, args[0], types.intp, args[0].row)
        return None


def _place(context: Any, builder: Any, table: Table, value: Any, index: Any) -> Any:
    """Return the pointer to a row."""
    given = cgutils.create_struct_proxy(table)(context, builder, value)
    if CHECKED:
        with builder.if_then(builder.icmp_unsigned(">=", index, given.length), likely=False):
            context.call_conv.return_user_exc(builder, IndexError, (table.called,))
    offset = builder.mul(index, context.get_constant(types.intp, table.stride))
    row = context.get_value_type(table.row)
    kind = row if isinstance(table.row, types.Record) else row.as_pointer()
    return builder.inttoptr(builder.add(given.address, offset), kind)


@lower_builtin(operator.getitem, Table, types.intp)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place = _place(context, builder, sig.args[0], *args)
    return place if isinstance(sig.args[0].row, types.Record) else builder.load(place)


@lower_builtin(operator.setitem, Table, types.intp, types.intp)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], _place(context, builder, sig.args[0], args[0], args[1]))
    return context.get_dummy_value()


def reader(state: "np.dtype[Any]", name: str, dtype: "np.dtype[Any]") -> Callable[[Any], Any]:
    """Return the function that, in compiled code, gives a table of the state.

    Parameters
    ----------
    state : dtype
        Record that has the fields `name`, an address, and ``<name>_rows``, a length.
    name : str
    dtype : dtype
        Of a row: a record, or a word.
    """
    table = Table(name, dtype)
    assert state.fields is not None, "the state is a record"
    offsets = [state.fields[field][1] for field in (name, f"{name}_rows")]

    @intrinsic
    def view(typing: Any, s: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            word = context.get_value_type(types.intp)
            start = builder.bitcast(args[0], ir.IntType(8).as_pointer())
            proxy = cgutils.create_struct_proxy(table)(context, builder)
            for field, offset in zip(("address", "length"), offsets, strict=True):
                place = builder.gep(start, [context.get_constant(types.intp, offset)])
                value = builder.load(builder.bitcast(place, word.as_pointer()))
                value.set_metadata("invariant.load", builder.module.add_metadata([]))
                setattr(proxy, field, value)
            return proxy._getvalue()

        return table(s), generate

    made: Any = view
    return made


@intrinsic
def _bit_length(typing: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word = context.get_value_type(types.intp)
        zeros = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(word, word.width), zeros)

    return types.intp(types.intp), generate


bit_length: Any = _bit_length
"""Return how many bits a number of at least 0 has, as `int.bit_length` does."""
