"""What every table of a scenario file is: frozen, strict about types, closed."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")
Tables = Annotated[tuple[Item, ...], Field(strict=False)]  # TOML has lists; a frozen model, tuples
Count = Annotated[int, Field(ge=1)]
Vcpus = Annotated[int, Field(ge=1, le=1024)]  # as many as a host has pCPUs at most; KVM's limit
Copies = Annotated[int, Field(ge=1, le=4096)]  # four times what vSphere 7 allows on a host
Jobs = Annotated[int, Field(ge=1, le=32_768)]  # process ids of Linux, unless it is told otherwise
Depth = Annotated[int, Field(ge=1, le=65_536)]  # requests of a process: entries of an NVMe queue
Affinity = Annotated[Tables[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class Frozen(BaseModel):
    """A table: frozen, strict about types, and closed to keys it does not know."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True
    )
