"""The figure of the winner map: which CPU technique is quickest, over exits and kernel work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from virtperf import catalog
from virtperf.plot.cpu import STYLES
from virtperf.plot.cpu_data import SHADOWED
from virtperf.plot.cpu_map import WinnerMap, winner_table
from virtperf.result.words import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from virtperf.params import ParameterSet

SAYS = {
    "pte_write": "page-table write",
    "port_read": "port read",
    "msr_write": "MSR write",
}
LABELS = {
    "trap-emulate": "trap-emulate\n(POPF is wrong)",
    "binary-translation": "binary\ntranslation",
    "hardware": "hardware,\nnested paging",
    SHADOWED: "hardware,\nshadow paging",
}


def winner_map(
    platform: ParameterSet,
    *,
    base: ParameterSet | None = None,
    operations: Sequence[str] = ("pte_write", "port_read"),
    footprint: float | None = None,
) -> Axes:
    """Draw which technique is quickest, one panel per operation that makes the exits.

    Varied are the number of those operations (x, as the exits they make under hardware assistance
    with shadow paging) and the share of kernel work (y), which brings system calls, changes of the
    interrupt flag, POPFs and returns along, as many per instruction of kernel code as in `base`;
    nothing else, see `cpu_map.winner_table`. Where one technique wins everywhere, that is said
    above the panel, and the panel is without it.

    Parameters
    ----------
    platform : ParameterSet
    base : ParameterSet, optional
        Workload whose kernel code it is; ``web-server`` by default.
    operations : sequence of str
        Of `cpu.operations.OPERATIONS`.
    footprint : float, optional
        Different instructions executed, see `cpu_map.winner_table`.

    Returns
    -------
    matplotlib.axes.Axes
        The first panel.
    """
    base = base if base is not None else catalog.workload("web-server")
    panels = _panels(len(operations))
    for index, (ax, operation) in enumerate(zip(panels, operations, strict=True)):
        table, everywhere = _contested(platform, base, operation, footprint)
        _regions(ax, table)
        _lines(ax, table)
        _finish(ax, table, everywhere, last=index == len(operations) - 1)
    panels[0].set_ylabel("share of kernel work in the guest's code")
    figure = panels[0].get_figure(root=True)
    assert figure is not None
    each = digits(1e3 / table.calls)
    says = f"Which technique is quickest? {platform.name}, kernel code of {base.name}"
    figure.suptitle(f"{says} (a system call every {each} us of it)", x=0.01, ha="left", fontsize=11)
    return panels[0]


def _contested(
    platform: ParameterSet, base: ParameterSet, operation: str, footprint: float | None
) -> tuple[WinnerMap, str]:
    """Return the table, without a technique that wins everywhere, and that one's name."""
    table = winner_table(platform, base, operation, footprint=footprint)
    found = set(table.winners.ravel().tolist())
    if len(found) > 1:
        return table, ""
    best = list(table.times)[found.pop()]
    rest = [name for name in table.times if name != best]
    return winner_table(platform, base, operation, techniques=rest, footprint=footprint), best


def _panels(count: int) -> list[Axes]:
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(
        1,
        count,
        sharey=True,
        squeeze=False,
        figsize=(0.8 + 3.9 * count, 4.3),
        layout="constrained",
    )
    return list(axes[0])


def _regions(ax: Axes, table: WinnerMap) -> None:
    """Colour each region, and write its name where there is most room around it."""
    import numpy as np
    from matplotlib.colors import ListedColormap
    from scipy.ndimage import distance_transform_edt

    names, winners = list(table.times), table.winners
    colours = ListedColormap([STYLES[name][0] for name in names])
    ax.pcolormesh(
        table.exits,
        table.shares,
        winners,
        cmap=colours,
        alpha=0.55,
        vmin=-0.5,
        vmax=len(names) - 0.5,
        linewidth=0,
        rasterized=True,
    )
    for index in np.unique(winners):
        inside = np.pad(winners == index, 1)
        room = distance_transform_edt(inside, sampling=(3.0, 1.0))[1:-1, 1:-1]  # text is wide
        row, column = np.unravel_index(int(np.argmax(room)), room.shape)
        if room.max() > 0.06 * winners.shape[1]:
            says = LABELS.get(names[index], names[index])
            x, y = table.exits[column], table.shares[row]
            size = 9 if room.max() > 0.13 * winners.shape[1] else 7
            ax.text(x, y, says, ha="center", va="center", fontsize=size, fontweight="bold")


def _lines(ax: Axes, table: WinnerMap) -> None:
    """Draw where the quickest change places: their times are the same there."""
    import numpy as np

    stack = np.stack(list(table.times.values()))
    for index in range(len(stack)):
        ahead = stack[index] - np.delete(stack, index, axis=0).min(axis=0)
        if ahead.min() < 0 < ahead.max():
            ax.contour(
                table.exits, table.shares, ahead, levels=[0.0], colors="black", linewidths=1.2
            )


def _first_change(table: WinnerMap) -> tuple[str, str] | None:
    """Return the techniques on both sides of the first line, coming from few exits."""
    names, row = list(table.times), table.winners[len(table.shares) // 2]
    order = [names[index] for index in dict.fromkeys(row.tolist())]
    return (order[0], order[1]) if len(order) > 1 else None


def _finish(ax: Axes, table: WinnerMap, everywhere: str, *, last: bool) -> None:
    what = SAYS.get(table.operation, table.operation)
    says = f"exits by {what}s"
    if everywhere:
        label = LABELS.get(everywhere, everywhere).replace("\n", " ")
        says += f"\nwithout {label}: it wins everywhere"
    change = _first_change(table)
    weight = table.calls_per_event(*change) if change else None
    if weight is not None:
        says += f"\nleft line: one {what} per {digits(weight, 2)} system calls"
    ax.set_title(says, loc="left", fontsize=9)
    ax.set_xscale("log")
    ax.set_xlim(table.exits[0], table.exits[-1])
    ax.set_ylim(0, 1)
    ax.set_xlabel("exits per ms of guest code [1/ms],\nas hardware with shadow paging makes them")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    if last:
        rate = table.calls
        both = (lambda share: share * rate, lambda calls: calls / rate)
        calls = ax.secondary_yaxis("right", functions=both)
        calls.set_ylabel("system calls per ms of guest code [1/ms]")
