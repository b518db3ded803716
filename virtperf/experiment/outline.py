"""What is known of a point before it runs, as plain data: what theory says, and how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from virtperf.experiment.against_theory import theory

if TYPE_CHECKING:
    from virtperf.experiment.plan import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """One point of a design.

    Attributes
    ----------
    label : str
    levels : mapping of address to level
    events : float
        Timed events per request.
    bounds : mapping
        What theory says, as a row of `virtperf.Result.bounds`.
    saturated : str
        The resource that more arrives for than it can do; "" where a steady state exists.
    full_corners : mapping of str to str
        Ends of parameter ranges at which an open load saturates what.
    notes : tuple of str
        What a reader must know of how the point is run.
    """

    label: str
    levels: Mapping[str, Any] = field(default_factory=dict)
    events: float = 0.0
    bounds: Mapping[str, Any] = field(default_factory=dict)
    saturated: str = ""
    full_corners: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def outline(point: Point) -> Outline:
    """Return what is known of a built point."""
    return Outline(
        label=point.label,
        levels=dict(point.levels),
        events=point.events,
        bounds=theory(point),
        saturated=saturation(point.theory.resource) if point.theory.saturated else "",
        full_corners=dict(point.full_corners),
        notes=point.notes,
    )


def saturation(resource: str) -> str:
    """Return, in words, why a point with an overloaded resource has no steady state."""
    return f"saturated: {resource}; more arrives than it can do, and queues grow"
