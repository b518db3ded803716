"""What a scenario asks of Xen's split drivers and of their driver domain: the words, checked."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from virtperf.scenario import scheduling
from virtperf.scenario.fields import PositiveNumber, Size
from virtperf.scenario.frozen import Affinity, Frozen, Vcpus
from virtperf.scenario.raw import RawDevice, disks
from virtperf.technique import matrix

MOST_PAGES = 64
PAGE, SEGMENTS = 4096, 32  # pages that a request of a ring carries at most, by indirect descriptors
FIELDS = {"ring_pages": ("xen-blkfront",), "grants": ("xen-blkfront",)}
"""Fields of a disk, and the techniques that know them."""

Grants: TypeAlias = Literal["map", "copy", "persistent"]
RingPages: TypeAlias = Annotated[int, Field(ge=1, le=MOST_PAGES)]


class Dom0(Frozen):
    """The driver domain: it has the devices, and the back ends of the guests' split drivers."""

    vcpus: Vcpus | None = None
    """Its virtual CPUs; by default one per pCPU."""
    weight: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Share of each of its vCPUs against others; by default the policy's standard."""
    cap: PositiveNumber | None = None
    """Most CPU time that its vCPUs may use together, in pCPUs; by default there is no limit."""
    affinity: Affinity | None = None
    """pCPUs that its vCPUs may use; by default all."""


def problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong, one sentence each; data that others refuse is passed over."""
    host = data.get("host")
    dom0 = _at(host, "dom0")
    if isinstance(dom0, Mapping):
        yield from scheduling.domain("host.dom0", dom0, host, dom0.get("vcpus", _at(host, "pcpus")))
    for one in disks(data):
        if one.table.get("technique") in matrix.disk_techniques():
            yield from _fields(one)


def follow(disk: dict[str, Any]) -> None:
    """Take out of a disk's table what its technique, a new one, knows nothing of."""
    for field, legal in FIELDS.items():
        if disk.get("technique") not in legal:
            disk.pop(field, None)


def _fields(own: RawDevice) -> Iterator[str]:
    disk, technique = own.table, own.table["technique"]
    for field, legal in FIELDS.items():
        if disk.get(field) is not None and technique not in legal:
            one = " or ".join(legal)
            yield f"{own.at}.{field} must be left out unless disk.technique is {one}"
    pages = disk.get("ring_pages")
    if isinstance(pages, int) and 0 < pages <= MOST_PAGES and pages & (pages - 1):
        yield f"{own.at}.ring_pages must be a power of two, got {pages}"
    field = "size" if "block" not in own.load else "block"
    size = _bytes(own.load.get(field))
    if technique == "xen-blkfront" and size > PAGE * SEGMENTS:
        must = f"at most {PAGE * SEGMENTS // 1024}KiB under xen-blkfront"
        why = f"a request of its ring carries {SEGMENTS} pages"
        yield f"{own.load_at}.{field} must be {must}, got {size}: {why}"


def _bytes(size: Any) -> int:
    """Return a size in bytes; 0 if it is none, which others report."""
    try:
        return TypeAdapter(Size).validate_python(size)
    except ValidationError:
        return 0


def _at(table: Any, key: str) -> Any:
    return table.get(key) if isinstance(table, Mapping) else None
