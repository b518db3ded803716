"""Writes the tables of a scenario as TOML. Knows no scenario."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml(data: Mapping[str, Any]) -> str:
    """Return the TOML text of nested tables; short tables are written inline.

    Examples
    --------
    >>> print(toml({"platform": "toy", "vm": [{"name": "a", "cpu": {"technique": "direct"}}]}))
    platform = "toy"
    <BLANKLINE>
    [[vm]]
    name = "a"
    cpu = { technique = "direct" }
    <BLANKLINE>
    """
    return "\n".join(_tables(data, ())).lstrip("\n") + "\n"


def _tables(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the lines of a table: first its values, then the tables that stand below it."""
    below = {key: value for key, value in table.items() if _stands_alone(key, value, path)}
    yield from (f"{_key(key)} = {text(table[key])}" for key in table if key not in below)
    for key, value in below.items():
        name = ".".join(map(_key, (*path, key)))
        if isinstance(value, Mapping):
            nested = all(isinstance(item, Mapping) for item in value.values())
            yield from ([] if nested and not path else ["", f"[{name}]"])
            yield from _tables(value, (*path, key))
        else:
            for item in value:
                yield from ("", f"[[{name}]]", *_tables(item, (*path, key)))


def _stands_alone(key: str, value: Any, path: tuple[str, ...]) -> bool:
    """Tables at the root, and those that hold long lists, get a header of their own."""
    if isinstance(value, Mapping):
        return not path or len(text(value)) > 160 or path in (("device",), ("nic",))
    return not path and isinstance(value, Sequence) and any(isinstance(i, Mapping) for i in value)


def text(value: Any) -> str:
    """Return one value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {text(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return _list([text(item) for item in value])


def _list(items: Sequence[str]) -> str:
    """Write a list on one line, or, when it is long, on lines of at most 96 characters."""
    if sum(map(len, items)) + 2 * len(items) < 88:
        return f"[{', '.join(items)}]"
    lines, line = [], ""
    for item in items:
        if line and len(line) + len(item) > 92:
            lines.append(line.rstrip())
            line = ""
        line += f"{item}, "
    body = "\n".join(f"  {text}" for text in (*lines, line.rstrip()))
    return f"[\n{body}\n]"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)
