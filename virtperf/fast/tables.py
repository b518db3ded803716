"""Tables in memory that compiled code reads by row: ``workers(s)[w].state``.

numba passes an array as seven words and counts references to it; an engine that hands twenty
tables from function to function then does little else. Here the state of a run is one record,
which holds the address and the length of every table; a table is these two numbers, a row its
address. Rules index them as they index a list of objects.

A field of a table overlaps no other field of any table, and the compiler is told so for each: what
it has read it need not read again because something else was written. In the checked build every
index is held against the length.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin, lower_getattr_generic, lower_setattr_generic
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    infer_getattr,
    infer_global,
    signature,
)
from numba.extending import intrinsic, models, register_model

from virtperf.fast.compiling import CHECKED

WORD = np.dtype("i8")
_BYTES = ir.IntType(8).as_pointer()
_WORD = ir.IntType(64)


class Row(types.Type):
    """The type of a row: where its fields are, and what they are called for the compiler."""

    def __init__(self, called: str, dtype: "np.dtype[Any]") -> None:
        self.called = called
        self.fields: dict[str, tuple[np.dtype[Any], int]] = {
            name: field[:2] for name, field in (dtype.fields or {}).items()
        }
        super().__init__(f"Row({called})")


class Table(types.Type):
    """The type of a table: of its rows, and how many bytes there are from one to the next."""

    def __init__(self, called: str, dtype: "np.dtype[Any]") -> None:
        self.called = called
        self.row = Row(called, dtype) if dtype.fields else types.intp
        self.stride = dtype.itemsize
        super().__init__(f"Table({called})")


@register_model(Row)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager: Any, row: Row) -> None:
        super().__init__(manager, row, _BYTES)


@register_model(Table)
class _TableModel(models.StructModel):
    def __init__(self, manager: Any, table: Table) -> None:
        super().__init__(manager, table, [("address", types.voidptr), ("length", types.intp)])


# -- memory --------------------------------------------------------------------------------------


def _told(builder: Any, access: Any, called: str) -> Any:
    """Let the compiler know that `access` overlaps none to what is called otherwise."""
    module = builder.module
    root = module.add_metadata(["virtperf"])
    zero = ir.Constant(ir.IntType(64), 0)
    kind = module.add_metadata([called, root, zero])
    access.set_metadata("tbaa", module.add_metadata([kind, kind, zero]))
    return access


def _load(builder: Any, address: Any, called: str) -> Any:
    return _told(builder, builder.load(builder.bitcast(address, _WORD.as_pointer())), called)


def _store(builder: Any, address: Any, called: str, value: Any) -> None:
    place = builder.bitcast(address, _WORD.as_pointer())
    _told(builder, builder.store(value, place), called)


# -- rows ----------------------------------------------------------------------------------------


@infer_getattr
class _Field(AttributeTemplate):
    key = Row

    def generic_resolve(self, row: Row, name: str) -> Any:  # type: ignore[override]
        if name not in row.fields:
            return None
        dtype, _ = row.fields[name]
        return Table(f"{row.called}.{name}", WORD) if dtype.shape else types.intp


def _field(context: Any, builder: Any, row: Row, address: Any, name: str) -> Any:
    """Return the address of a field."""
    offset = context.get_constant(types.intp, row.fields[name][1])
    return builder.gep(address, [offset], inbounds=True)


@lower_getattr_generic(Row)
def _get_field(context: Any, builder: Any, row: Row, address: Any, name: str) -> Any:
    place, called = _field(context, builder, row, address, name), f"{row.called}.{name}"
    shape = row.fields[name][0].shape
    if not shape:
        return _load(builder, place, called)
    proxy = cgutils.create_struct_proxy(Table(called, WORD))(context, builder)
    proxy.address, proxy.length = place, context.get_constant(types.intp, shape[0])
    return proxy._getvalue()


@lower_setattr_generic(Row)
def _set_field(context: Any, builder: Any, sig: Any, args: Any, name: str) -> None:
    row, given = sig.args
    value = context.cast(builder, args[1], given, types.intp)
    _store(builder, _field(context, builder, row, args[0], name), f"{row.called}.{name}", value)


# -- tables --------------------------------------------------------------------------------------


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
    """Return the address of a row."""
    given = cgutils.create_struct_proxy(table)(context, builder, value)
    if CHECKED:
        with builder.if_then(builder.icmp_unsigned(">=", index, given.length), likely=False):
            context.call_conv.return_user_exc(builder, IndexError, (table.called,))
    stride = context.get_constant(types.intp, table.stride)
    return builder.gep(given.address, [builder.mul(index, stride)], inbounds=True)


@lower_builtin(operator.getitem, Table, types.intp)
def _get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table = sig.args[0]
    place = _place(context, builder, table, *args)
    return place if isinstance(table.row, Row) else _load(builder, place, table.called)


@lower_builtin(operator.setitem, Table, types.intp, types.intp)
def _set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    table = sig.args[0]
    _store(builder, _place(context, builder, table, args[0], args[1]), table.called, args[2])
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
    table, row = Table(name, dtype), Row("state", state)

    @intrinsic
    def view(typing: Any, s: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            proxy = cgutils.create_struct_proxy(table)(context, builder)
            address = _fixed(context, builder, row, args[0], name)
            proxy.address = builder.inttoptr(address, _BYTES)
            proxy.length = _fixed(context, builder, row, args[0], f"{name}_rows")
            return proxy._getvalue()

        return table(s), generate

    made: Any = view
    return made


def _fixed(context: Any, builder: Any, row: Row, address: Any, name: str) -> Any:
    """Read a field that does not change while the engine runs."""
    place = _field(context, builder, row, address, name)
    value = _load(builder, place, f"{row.called}.{name}")
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


def row_at(called: str, dtype: "np.dtype[Any]") -> Callable[[int], Any]:
    """Return the function that, in compiled code, gives the record `called` so at an address."""
    row = Row(called, dtype)

    @intrinsic
    def record(typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], _BYTES)

        return row(types.intp), generate

    made: Any = record
    return made


@intrinsic
def _bit_length(typing: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        word = context.get_value_type(types.intp)
        zeros = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(word, word.width), zeros)

    return types.intp(types.intp), generate


@intrinsic
def _either(typing: Any, condition: Any, one: Any, other: Any) -> Any:
    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        chosen = builder.select(*args)
        chosen.set_metadata("unpredictable", builder.module.add_metadata([]))
        return chosen

    return types.intp(types.boolean, types.intp, types.intp), generate


either: Any = _either
"""Return `one` if `condition` else `other`, without a branch that would have to be foreseen."""
bit_length: Any = _bit_length
"""Return how many bits a number of at least 0 has, as `int.bit_length` does."""
