"""Values of a scenario file that carry a unit, a source or a shape: how to read and write each.

A reader refuses with `RefusalError`, which holds what comes after the field's name; the name
itself is known only to whoever reads the whole file.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from virtperf import catalog
from virtperf.dist import Deterministic, Distribution, distribution
from virtperf.errors import ParameterError, ScenarioError
from virtperf.mechanism import isa
from virtperf.params import Quantity
from virtperf.technique import matrix
from virtperf.units import MAX_TICKS, TICKS_PER_NS, UNITS, parse

DIRECTIONS = ("read", "write")
_KINDS = ("deterministic", "exponential", "lognormal", "gamma", "empirical", "rotating")
PER_QUEUE = "per-queue"
MOST_BYTES, MOST_REQUEST = 1 << 64, 1 << 28
_UNSOURCED = "given in the scenario without a source"


class RefusalError(ValueError):
    """A value is refused; each tail completes a sentence that starts with the field's name."""

    def __init__(self, *tails: str) -> None:
        super().__init__(*tails)
        self.tails = tails


def choice_tail(choices: Iterable[str], got: object) -> str:
    """Word that a value is none of the choices, and offer the nearest one."""
    known = list(choices)
    near = get_close_matches(str(got), known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f" must be one of {', '.join(known)}, got {got!r}{hint}"


def _number(value: object, dimension: str, example: str) -> float:
    """Read a plain number in base units, or a string with a unit."""
    refusal = RefusalError(f" must be a {dimension} such as {example}, got {value!r}")
    if isinstance(value, str):
        try:
            return parse(value, dimension)
        except ParameterError:
            raise refusal from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise refusal
    if value < 0:
        raise RefusalError(f" must be at least 0, got {value!r}")
    return float(value)


def _shortest(value: float, dimension: str) -> str:
    """Return the shortest text that reads back as exactly `value`."""
    if value == 0:
        return "0us" if dimension == "duration" else "0B"
    texts = []
    for unit, (measures, factor) in UNITS.items():
        text = f"{value / factor!r}".removesuffix(".0") + unit
        if measures == dimension and parse(text, dimension) == value:
            texts.append(text)
    return min(texts, key=len)


def _duration(value: object) -> float:
    return _lasting(_number(value, "duration", "10us"), value)


def _lasting(ns: float, got: object) -> float:
    """Return a time that fits into a run; refuse a longer one."""
    if ns * TICKS_PER_NS >= MAX_TICKS:
        raise RefusalError(f" must be at most 106 days, the longest run, got {got!r}")
    return ns


def _constant(value: object) -> float:
    return _number(value, "duration", "1ms or 1")


def read_size(value: object) -> int:
    """Read a whole number of bytes; raise `RefusalError` if it is none."""
    size = _number(value, "size", "4KiB")
    if size > MOST_BYTES:
        raise RefusalError(f" must be at most 16 EiB, what 64 bits address, got {value!r}")
    if size < 1 or size != int(size):
        raise RefusalError(f" must be a whole number of bytes, at least 1, got {value!r}")
    return int(size)


def _request_size(value: object) -> int:
    size = read_size(value)
    if size > MOST_REQUEST:
        why = "an NVMe command has room for 65,536 blocks, of 4 KiB at most"
        raise RefusalError(f" must be at most 256 MiB, got {value!r}: {why}")
    return size


def _rate_or_0(value: object) -> float:
    if isinstance(value, str) and value.rstrip().endswith("/s") and "1/s" not in value:
        value = f"{value.rstrip().removesuffix('/s').rstrip()} 1/s"  # people write 20000/s
    return _number(value, "rate", "20000/s")


def _rate(value: object) -> float:
    rate = _rate_or_0(value)
    if rate <= 0:
        raise RefusalError(f" must be above 0, got {value!r}")
    if 1e9 / rate * TICKS_PER_NS >= MAX_TICKS:
        raise RefusalError(f" must be at least one in 106 days, the longest run, got {value!r}")
    return rate


def _bandwidth(value: object) -> float:
    bandwidth = _number(value, "bandwidth", "3GiB/s")
    if bandwidth <= 0:
        raise RefusalError(f" must be above 0, got {value!r}")
    if bandwidth < 1:
        raise RefusalError(f" must be at least 1 B/s, got {value!r}")
    return bandwidth


def _quantity(value: object, dimensions: tuple[str, ...], what: str) -> Quantity:
    """Read a table with a source; the caller has dealt with plain values."""
    if isinstance(value, Quantity):
        quantity = value
    elif isinstance(value, Mapping):
        try:
            quantity = Quantity.from_table("", value)
        except ScenarioError as error:
            tails = [problem.removesuffix(", got None") for problem in error.problems]
            raise RefusalError(*tails) from None
    else:
        raise RefusalError(
            f" must be {what}, or a table with value, unit and source, got {value!r}"
        )
    if quantity.dimension not in dimensions:
        raise RefusalError(f".unit must be that of {what}, got {quantity.unit!r}")
    if min(quantity.value, quantity.value if quantity.low is None else quantity.low) < 0:
        raise RefusalError(f".value must be at least 0, got {quantity.value!r}")
    return quantity


def _cpu_time(value: object) -> Quantity:
    what = "a duration such as 10us"
    if isinstance(value, str):
        return _unsourced(_duration(value), "ns")
    quantity = _quantity(value, ("duration", "cycles"), what)
    if quantity.dimension == "duration":
        _lasting(quantity.base, quantity.value)
    return quantity


def _channels(value: object) -> Quantity:
    if isinstance(value, int) and not isinstance(value, bool):
        quantity = _unsourced(value, "1")
    else:
        quantity = _quantity(value, ("number",), "a whole number such as 32")
    for field in ("value", "low", "high"):
        number = getattr(quantity, field)
        if number is not None and not (1 <= number <= 65536 and number == int(number)):
            tail = "" if isinstance(value, int) else f".{field}"
            raise RefusalError(
                f"{tail} must be a whole number from 1 to 65536, got {value_of(number)}"
            )
    return quantity


def _workers(value: object) -> int | str:
    """Read a number of threads, or that there is one for each queue."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value == PER_QUEUE or (whole and value >= 1):  # type: ignore[operator]
        return value  # type: ignore[return-value]
    raise RefusalError(f' must be a whole number, at least 1, or "{PER_QUEUE}", got {value!r}')


def value_of(number: float) -> str:
    """Print a whole number without its ``.0``."""
    return f"{number!r}".removesuffix(".0")


def _unsourced(value: float, unit: str) -> Quantity:
    return Quantity(value=value, unit=unit, source=_UNSOURCED, evidence="assumed", checked="own")


def _quantity_table(quantity: Quantity) -> Any:
    """Return what `_cpu_time` and `_channels` read: the short form where nothing is lost."""
    if quantity == _unsourced(quantity.value, quantity.unit):
        if quantity.unit == "1":
            return int(quantity.value)
        return _shortest(quantity.base, "duration")
    table = {field.name: getattr(quantity, field.name) for field in fields(quantity)}
    whole = {"value", "low", "high"} if quantity.unit == "1" else set()
    return {
        key: int(entry) if key in whole else entry
        for key, entry in table.items()
        if entry is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How long a device serves a request, by direction."""

    read: Distribution
    write: Distribution


def _distribution(value: object, prefix: str) -> Distribution:
    if not isinstance(value, Mapping):
        raise RefusalError(f"{prefix} must be a table with a kind, got {value!r}")
    if value.get("kind") not in _KINDS:  # others are arrivals, whose gaps hang together
        raise RefusalError(f"{prefix}.kind{choice_tail(_KINDS, value.get('kind'))}")
    try:
        return distribution(value)
    except ParameterError as error:
        got = "" if error.got is None else f", got {error.got!r}"
        raise RefusalError(f"{prefix}.{error.field} must be {error.must}{got}") from None


def _pause(value: object) -> Distribution:
    """Read a duration, which is always the same, or a distribution."""
    if isinstance(value, Mapping):
        return _distribution(value, "")
    if isinstance(value, str | int | float):
        return Deterministic(_duration(value))
    if isinstance(value, Distribution):
        return value
    raise RefusalError(f" must be a duration such as 10us, or a table with a kind, got {value!r}")


def _pause_table(pause: Distribution) -> Any:
    if isinstance(pause, Deterministic):
        return _shortest(pause.value, "duration")
    return pause.as_dict()


def _service(value: object) -> Service:
    if isinstance(value, Service):
        return value
    if not isinstance(value, Mapping) or not set(value) & set(DIRECTIONS):
        both = _distribution(value, "")
        return Service(read=both, write=both)
    tails = [f".{key} is not a direction: read or write" for key in value if key not in DIRECTIONS]
    found = {}
    for direction in DIRECTIONS:
        if direction not in value:
            tails.append(f".{direction} must be given, where the other direction is")
            continue
        try:
            found[direction] = _distribution(value[direction], f".{direction}")
        except RefusalError as wrong:
            tails += wrong.tails
    if tails:
        raise RefusalError(*tails)
    return Service(**found)


def _service_table(service: Service) -> dict[str, Any]:
    if service.read == service.write:
        return service.read.as_dict()
    return {"read": service.read.as_dict(), "write": service.write.as_dict()}


def _among(choices: Callable[[], tuple[str, ...]]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in choices():
            raise RefusalError(choice_tail(choices(), value))
        return value

    return AfterValidator(check)


def _enum(choices: Callable[[], tuple[str, ...]]) -> Any:
    return Field(json_schema_extra=lambda schema: schema.update(enum=list(choices())))


def _schema(*types: str, says: str) -> WithJsonSchema:
    kind: Any = list(types) if len(types) > 1 else types[0]
    return WithJsonSchema({"type": kind, "description": says})


CpuTechnique = Annotated[str, _among(matrix.cpu_techniques), _enum(matrix.cpu_techniques)]
IsaName = Annotated[str, _among(isa.names), _enum(isa.names)]
MemoryTechnique = Annotated[str, _among(matrix.memory_techniques), _enum(matrix.memory_techniques)]
DiskTechnique = Annotated[str, _among(matrix.disk_techniques), _enum(matrix.disk_techniques)]
NicTechnique = Annotated[str, _among(matrix.nic_techniques), _enum(matrix.nic_techniques)]
PolicyName = Annotated[str, _among(catalog.policies), _enum(catalog.policies)]
Constant = Annotated[
    float,
    PlainValidator(_constant),
    _schema("string", "number", says="a duration such as 1ms, or a number; a time is in ns then"),
]
Duration = Annotated[
    float,
    PlainValidator(_duration),
    PlainSerializer(lambda ns: _shortest(ns, "duration")),
    _schema("string", "number", says="a duration such as 10us; a plain number is in ns"),
]
Pause = Annotated[
    Distribution,
    PlainValidator(_pause),
    PlainSerializer(_pause_table),
    _schema("string", "number", "object", says="a duration such as 10us, or a distribution"),
]
Size = Annotated[
    int,
    PlainValidator(read_size),
    PlainSerializer(lambda size: _shortest(float(size), "size")),
    _schema("string", "integer", says="a size such as 4KiB; a plain number is in bytes"),
]
RequestSize = Annotated[
    int,
    PlainValidator(_request_size),
    PlainSerializer(lambda size: _shortest(float(size), "size")),
    _schema("string", "integer", says="a size such as 4KiB; a plain number is in bytes"),
]
Rate = Annotated[
    float,
    PlainValidator(_rate),
    _schema("string", "number", says="a rate such as 20000/s; a plain number is per second"),
]
RateOr0 = Annotated[
    float,
    PlainValidator(_rate_or_0),
    _schema("string", "number", says="a rate such as 20000/s; a plain number is per second"),
]
PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Bandwidth = Annotated[
    float,
    PlainValidator(_bandwidth),
    _schema("string", "number", says="a bandwidth such as 3GiB/s; a plain number is in B/s"),
]
CpuTime = Annotated[
    Quantity,
    PlainValidator(_cpu_time),
    PlainSerializer(_quantity_table),
    _schema("string", "object", says="a duration such as 5us, or a table with its source"),
]
Channels = Annotated[
    Quantity,
    PlainValidator(_channels),
    PlainSerializer(_quantity_table),
    _schema("integer", "object", says="a whole number, or a table with its source and range"),
]
Workers = Annotated[
    int | str,
    PlainValidator(_workers),
    _schema("integer", "string", says=f"a whole number, or {PER_QUEUE}"),
]
ServiceField = Annotated[
    Service,
    PlainValidator(_service),
    PlainSerializer(_service_table),
    _schema("object", says="one distribution, or one for read and one for write"),
]
