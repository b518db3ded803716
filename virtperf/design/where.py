"""Constraints over addresses, such as ``vm.disk.iothreads <= vm.vcpus``: parsed, never run."""

import ast
import keyword
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from virtperf.design.axes import label
from virtperf.design.factorial import Design
from virtperf.errors import ParameterError, UnknownNameError

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
_UNDERSTOOD: tuple[Any, ...] = (
    *(ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.List, ast.Tuple),
    *(ast.boolop, ast.unaryop, ast.expr_context, *_ARITHMETIC, *_COMPARED),
)
_WORDS = {"true": True, "false": False}
MUST = "a condition over addresses with + - * / // %, comparisons, in, and, or, not"


def where(
    design: Sequence[Mapping[str, Any]],
    *conditions: str,
    fixed: Mapping[str, Any] | None = None,
    field: str = "where",
) -> Design:
    """Return the points that meet all conditions.

    Parameters
    ----------
    design : sequence of mapping
        Points, address to level.
    *conditions : str
        Each over addresses, numbers, and names in quotes. Arithmetic, comparisons (chained ones
        too), ``in [...]``, ``and``, ``or`` and ``not``; nothing else is understood.
    fixed : mapping, optional
        Levels of addresses that do not vary, for conditions to name.
    field : str
        What errors call the conditions.

    Raises
    ------
    UnknownNameError
        If a condition names an address that the points do not have.
    ParameterError
        If a condition cannot be understood, or no point meets all of them.

    Examples
    --------
    >>> from virtperf.design import grid
    >>> where(grid({"vm.count": [1, 8], "vm.vcpus": [2, 4]}), "vm.count * vm.vcpus <= 16")
    [{'vm.count': 1, 'vm.vcpus': 2}, {'vm.count': 1, 'vm.vcpus': 4}, {'vm.count': 8, 'vm.vcpus': 2}]
    >>> where(grid({"vm.disk": ["native", "virtio"]}), "vm.disk != 'native'")
    [{'vm.disk': 'virtio'}]
    """
    known = {**(fixed or {}), **(design[0] if design else {})}
    words = {level for point in design for level in point.values() if isinstance(level, str)}
    parsed = [(text, _parse(text, known, words, field)) for text in conditions]
    kept = [dict(point) for point in design]
    for text, tree in parsed:
        before = kept
        kept = [point for point in kept if _holds(text, tree, {**known, **point}, field)]
        if not kept:
            those = " that meet the conditions before it" if len(before) < len(design) else ""
            must = f"met by at least one of the {len(before)} points{those}"
            raise ParameterError("design", field, must, text)
    return kept


def _parse(text: str, known: Mapping[str, Any], words: Set[str], field: str) -> ast.expr:
    """Return the tree of a condition, every address in it a name."""
    names = {f"_address{number}_": name for number, name in enumerate(known) if _odd(name)}
    for name, address in sorted(names.items(), key=lambda pair: -len(pair[1])):
        text = re.sub(rf"(?<![\w.\]-]){re.escape(address)}(?![\w.\[-])", name, text)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ParameterError("design", field, MUST, text) from None
    return _Addresses(names, known, words, text, field).visit(tree)  # type: ignore[no-any-return]


def _odd(address: str) -> bool:
    """Whether Python would not read an address as one: it has a hyphen, or a word of Python's."""
    return "-" in address or any(map(keyword.iskeyword, address.split(".")))


class _Addresses(ast.NodeTransformer):
    """Turns ``vm[0].disk.poll`` into one name, and refuses what is no condition."""

    def __init__(
        self,
        names: Mapping[str, str],
        known: Mapping[str, Any],
        words: Set[str],
        text: str,
        field: str,
    ) -> None:
        self.names, self.known, self.words = names, known, words
        self.text, self.field = text, field

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
            return self._address(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
            return node
        if not isinstance(node, _UNDERSTOOD) or isinstance(node, ast.Invert):
            raise ParameterError("design", self.field, MUST, self.text)
        return self.generic_visit(node)

    def _address(self, node: ast.expr) -> ast.expr:
        address = ast.unparse(node)
        if address in _WORDS:
            return ast.Constant(_WORDS[address])
        address = self.names.get(address, address)
        if address not in self.known:
            if address in self.words:
                must = f"one in which the level {address!r} stands in quotes"
                raise ParameterError("design", self.field, must, self.text)
            raise UnknownNameError("address", address, self.known)
        return ast.Name(address, ast.Load())


def _holds(text: str, tree: ast.expr, point: Mapping[str, Any], field: str) -> bool:
    try:
        found = _value(tree, point)
    except (TypeError, ZeroDivisionError, OverflowError) as error:
        levels = label({name: point[name] for name in _names(tree)})
        must = f"one that can be worked out at {levels} ({error})"
        raise ParameterError("design", field, must, text) from None
    if not isinstance(found, bool):
        raise ParameterError("design", field, "true or false at every point", text)
    return found


def _names(tree: ast.expr) -> Iterator[str]:
    return (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def _value(node: ast.expr, point: Mapping[str, Any]) -> Any:
    """Work out a tree that `_Addresses` let pass."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=address):
            return point[address]
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_value(part, point) for part in parts]
        case ast.BoolOp(op=op, values=parts):
            every = isinstance(op, ast.And)
            return (all if every else any)(_truth(part, point) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return not _truth(part, point)
        case ast.UnaryOp(op=op, operand=part):
            number = _number(part, point)
            return -number if isinstance(op, ast.USub) else number
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_number(left, point), _number(right, point))
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [_value(part, point) for part in (left, *others)]
            pairs = zip(ops, values, values[1:], strict=False)
            return all(_COMPARED[type(op)](one, other) for op, one, other in pairs)
    raise TypeError(f"no value of {ast.unparse(node)}")


def _truth(node: ast.expr, point: Mapping[str, Any]) -> bool:
    found = _value(node, point)
    if not isinstance(found, bool):
        raise TypeError(f"{ast.unparse(node)} is neither true nor false")
    return found


def _number(node: ast.expr, point: Mapping[str, Any]) -> Any:
    found = _value(node, point)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise TypeError(f"{ast.unparse(node)} is no number")
    return found
