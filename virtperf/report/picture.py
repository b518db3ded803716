"""A figure as part of a page: drawn into it, nothing beside it."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Picture(NamedTuple):
    """An inline picture and what it shows."""

    image: str
    caption: str
    wide: bool = False


def picture(drawn: Axes | Figure, caption: str, *, wide: bool = False) -> Picture:
    """Return a figure, or that of some axes, as inline SVG, and close it."""
    import matplotlib
    from matplotlib import pyplot as plt
    from matplotlib.axes import Axes

    figure = drawn.get_figure(root=True) if isinstance(drawn, Axes) else drawn
    assert figure is not None
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "virtperf"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    image = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/svg+xml;base64,{image}", caption[:1].upper() + caption[1:], wide)
