"""Turns pydantic's errors into sentences: owner.field must be rule, got value."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from virtperf.scenario.fields import RefusalError, choice_tail

_KINDS = {
    "load": ("closed", "open", "trace", "rr", "server", "stream", "packets"),
    "arrivals": ("poisson", "deterministic", "gamma", "mmpp", "empirical"),
}
"""Tables that are of a kind; pydantic puts the kind into locations."""
Location = Sequence[str | int]

_TAILS = {
    "missing": " must be given",
    "int_type": " must be a whole number, got {input!r}",
    "int_from_float": " must be a whole number, got {input!r}",
    "float_type": " must be a number, got {input!r}",
    "finite_number": " must be a finite number, got {input!r}",
    "bool_type": " must be true or false, got {input!r}",
    "bool_parsing": " must be true or false, got {input!r}",
    "string_type": " must be a string, got {input!r}",
    "tuple_type": " must be a list, got {input!r}",
    "dict_type": " must be a table, got {input!r}",
    "model_type": " must be a table, got {input!r}",
    "model_attributes_type": " must be a table, got {input!r}",
    "too_short": " must have at least {min_length} entry",
    "string_pattern_mismatch": " must consist of a-z, 0-9 and -, got {input!r}",
    "greater_than": " must be above {gt:g}, got {input!r}",
    "greater_than_equal": " must be at least {ge:g}, got {input!r}",
    "less_than_equal": " must be at most {le:g}, got {input!r}",
    "union_tag_not_found": ".kind must be given",
}


def problems(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Word everything a validation found, one sentence each.

    Parameters
    ----------
    error : pydantic.ValidationError
        What validating `root` raised.
    root : type
        Model of the whole file; its fields are offered where a key is unknown.
    """
    return [
        sentence for detail in error.errors(include_url=False) for sentence in _word(detail, root)
    ]


def name_of(location: Location) -> str:
    """Write a location as an address: ``("vm", 1, "load", "closed", "size")`` is vm[1].load.size.

    Pydantic puts the kind of a load or of arrivals into the location; the file has no such level.
    """
    name = ""
    for before, part in zip(("", *location), location, strict=False):
        if isinstance(part, int):
            name += f"[{part}]"
        elif part not in _KINDS.get(str(before), ()) and part != "[key]":
            name += f".{part}" if name else part
    return name


def _word(detail: ErrorDetails, root: type[BaseModel]) -> Iterator[str]:
    location, kind = detail["loc"], detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    name = name_of(location)
    if kind == "extra_forbidden":
        yield _unknown_key(location, root)
    elif isinstance(context.get("error"), RefusalError):
        yield from (f"{name}{tail}" for tail in context["error"].tails)
    elif kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        yield name + choice_tail(choices, detail["input"])
    elif kind == "union_tag_invalid":
        choices = re.findall(r"'([^']*)'", context["expected_tags"])
        yield f"{name}.kind{choice_tail(choices, context['tag'])}"
    elif kind == "too_short" and detail["input"]:
        return  # pydantic counts the entries that are right; what is wrong with them is said
    elif kind in _TAILS:
        yield name + _TAILS[kind].format(input=detail["input"], **context)
    else:
        yield f"{name}: {detail['msg']}"


def _unknown_key(location: Location, root: type[BaseModel]) -> str:
    """Say whose field it is not, and offer the nearest one."""
    *parents, key = location
    tables = [part for part in parents if isinstance(part, str)]
    owner = tables[-1] if tables else "a scenario"
    if tables[:1] in (["device"], ["nic"]):
        owner = tables[0]
    if len(tables) > 1 and owner in _KINDS.get(tables[-2], ()):
        owner = f"{owner} {tables[-2]}"
    near = get_close_matches(str(key), _fields_at(parents, root), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{name_of(location)} is not a field of {owner}{hint}"


def _fields_at(location: Location, root: type[BaseModel]) -> list[str]:
    """Return the fields of the table at a location."""
    models = [root]
    for before, part in zip(("", *location), location, strict=False):
        fields = models[0].model_fields
        if part in _KINDS.get(str(before), ()):
            models = [m for m in models if part in get_args(m.model_fields["kind"].annotation)]
        elif before not in ("device", "nic") and part in fields:
            models = list(_models_in(fields[str(part)].annotation))
    return list(models[0].model_fields) if models else []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models an annotation mentions, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
