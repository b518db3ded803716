"""Instruction sets as text: what traps, what does not, and where a guest kernel can run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from virtperf.mechanism.isa import isa, names, virtualizable
from virtperf.mechanism.privilege import deprivileged

if TYPE_CHECKING:
    from virtperf.mechanism.isa import Instruction, Isa

_WIDTH = 100
_HOLES = {"silently-differs": "differs", "leaks": "leaks"}
_GOES_WRONG = (
    "leaks: it reads the real machine's state; "
    "differs: something else happens than in the kernel, or nothing"
)


def overview() -> str:
    """Return a table of all instruction sets, with the answer of Popek and Goldberg."""
    rows = []
    for name in names():
        one = isa(name)
        virtual = "yes" if virtualizable(one).holds else "no"
        rings = f"{len(one.rings)}: {one.rings[0]} to {one.rings[-1]}"
        rows.append((name, one.title, rings, virtual, str(len(one.offenders()))))
    header = ("name", "title", "rings", "virtualizable", "offenders")
    note = (
        "Classically virtualizable: every sensitive instruction traps when executed without "
        "privilege. Offenders are sensitive and do not trap. virtperf isa NAME lists them."
    )
    return "\n".join([*columns([header, *rows]), "", fill(note, _WIDTH)])


def show(name: str) -> str:
    """Return the verdict on an instruction set, its instructions, and its guest kernels' places.

    Raises
    ------
    UnknownNameError
        If there is none of that name; near matches are offered.
    """
    of = isa(name)
    blocks = [
        of.title,
        _verdict(of),
        _group("privileged: they trap, and the monitor gets control", of.privileged()),
        _group("sensitive but not privileged: the holes", of.offenders(), _GOES_WRONG),
        _group("innocuous", of.innocuous()),
        "\n".join(["where a guest kernel that has lost its privilege can run", *_places(of)]),
        fill(f"source: {of.source} ({of.checked})", _WIDTH, subsequent_indent="  "),
    ]
    return "\n\n".join(blocks)


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return lines of aligned columns, all flush left: they hold words."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _verdict(of: Isa) -> str:
    """Return the verdict, wrapped between names and not within them."""
    verdict = virtualizable(of)
    says = str(verdict)
    for one in verdict.offenders:
        says = says.replace(one.mnemonic, one.mnemonic.replace(" ", "\xa0"))
    return fill(says, _WIDTH).replace("\xa0", " ")


def _group(title: str, instructions: Sequence[Instruction], note: str = "") -> str:
    rows = [("  " + one.mnemonic, *_facts(one)) for one in instructions]
    lines = columns(_without_empty(rows)) if rows else ["  none"]
    return "\n".join([f"{title} ({len(rows)})", *([f"  {note}"] if note else []), *lines])


def _facts(one: Instruction) -> tuple[str, ...]:
    return (_HOLES.get(one.traps, ""), ", ".join(one.touches), one.why)


def _without_empty(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Leave out columns that say nothing in any row."""
    said = [any(column) for column in zip(*rows, strict=True)]
    return [[cell for cell, says in zip(row, said, strict=True) if says] for row in rows]


def _places(of: Isa) -> list[str]:
    lines = []
    for bits in of.kernel_bits:
        place = deprivileged(of, bits)
        users = "the same as its users" if place.shared else f"its users in {place.user}"
        says = f"{bits}-bit kernel: {place.kernel}, {users}, since {place.reason}"
        lines.append(fill(says, _WIDTH, initial_indent="  ", subsequent_indent="    "))
    return lines
