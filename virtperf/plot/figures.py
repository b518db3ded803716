"""Figures of results: where time goes, responses, distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from virtperf.errors import OutputError
from virtperf.result import ALL
from virtperf.result.words import digits

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from virtperf.result import Result

_BACK_ENDS = ("iothread", "main loop", "vhost worker", "polling core")


def _each(what: str) -> tuple[str, ...]:
    """Return an account of each kind of host thread."""
    return tuple(f"{role}: {what}" for role in _BACK_ENDS)


# Okabe and Ito's palette, which colour-blind readers can tell apart, in an order of its own: what
# virtualization adds is warm, what was there before is cool or grey.
CAUSES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "device": ("#56B4E9", ("device",)),
    "waiting for the device": ("#B9DDF2", ("wait: device",)),
    "guest": ("#009E73", ("vcpu: guest", "vcpu: critical section", "vcpu: timer tick")),
    "host I/O": ("#7F7F7F", ("vcpu: host I/O", *_each("host I/O"), "polling core: user")),
    "exits": ("#D55E00", ("vcpu: exit",)),
    "device model, virtio": ("#E69F00", ("vcpu: ", *_each(""))),
    "wake-ups": ("#CC79A7", (*_each("wake-up"), "wait: wake-up")),
    "thread switches": ("#0072B2", ("wait: switch", "host: switch", "vcpu: process switch")),
    "waiting for a CPU, a lock, a turn": ("#F0E442", ("wait: ", "vcpu: spinning")),
}
COLOURS = ("#000000", "#D55E00", "#E69F00", "#009E73", "#0072B2", "#CC79A7", "#56B4E9")
MARKERS = "osD^vPX"
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def cause(account: str) -> str:
    """Return the cause that a ledger account belongs to: the longest prefix wins."""
    found = [
        (len(prefix), name)
        for name, (_, prefixes) in CAUSES.items()
        for prefix in prefixes
        if account.startswith(prefix)
    ]
    return max(found)[1] if found else "waiting for a CPU, a lock, a turn"


def breakdown(
    spent: Mapping[str, Mapping[str, float]] | Result, ax: Axes | None = None, *, title: str = ""
) -> Axes:
    """Draw where a request's latency goes, one bar per point, stacked by cause.

    Parameters
    ----------
    spent : mapping of label to (mapping of account to ns), or Result
        Time per request; a result gives its own request ledger.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    title : str
        Line above the bars.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on, in microseconds.
    """
    bars = spent if isinstance(spent, Mapping) else request_times(spent)
    ax = ax if ax is not None else _axes(7.6, 0.9 + 0.5 * len(bars))
    sums = {label: _by_cause(accounts) for label, accounts in bars.items()}
    longest = max(sum(causes.values()) for causes in sums.values())
    for row, causes in enumerate(sums.values()):
        left = 0.0
        for name, (colour, _) in CAUSES.items():
            width = causes.get(name, 0.0)
            ax.barh(row, width, left=left, color=colour, edgecolor="white", linewidth=0.6)
            if width > 0.05 * longest:
                ax.text(left + width / 2, row, digits(width), **_inside(colour))
            left += width
        ax.text(left + 0.01 * longest, row, f"{digits(left, 4)} us", va="center", fontsize=9)
    _finish_bars(ax, list(bars), sums, longest, title)
    return ax


def request_times(result: Result) -> dict[str, dict[str, float]]:
    """Return a result's latency by point and account, in ns, the mean over all requests."""
    times: dict[str, dict[str, float]] = {}
    for point, rows in result.requests.groupby("point", sort=False):
        overall = rows[rows["group"] == ALL] if rows["group"].nunique() > 1 else rows
        pairs = zip(overall["account"], overall["ns"], strict=True)
        times[str(point)] = {str(account): float(ns) for account, ns in pairs}
    return {point: times[point] for point in result.labels if point in times}


def cdf(result: Result, ax: Axes | None = None, points: Sequence[str] | None = None) -> Axes:
    """Draw the share of requests that are at most so long, on a logarithmic time axis.

    Parameters
    ----------
    result : Result
        Its points become lines, one per group of requests.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    points : sequence of str, optional
        Points to draw; all by default.
    """
    ax = ax if ax is not None else _axes(4.6, 3.4)
    table = result.cdf[result.cdf["point"].isin(points or result.labels)]
    several = table["group"].nunique() > 1
    for index, ((point, group), rows) in enumerate(table.groupby(["point", "group"], sort=False)):
        name = f"{short(str(point))} {group}" if several else short(str(point))
        style = _line(index) | {"marker": None, "capsize": None}
        kept = {key: value for key, value in style.items() if key not in ("capsize", "markersize")}
        ax.step(rows["latency_ns"] / 1e3, rows["share"], where="post", label=name, **kept)
    ax.set_xscale("log")
    ax.set_ylim(0, 1.01)
    ax.set_xlabel("latency [us]")
    ax.set_ylabel("share of requests at or below")
    within = table.loc[table["share"] <= 0.999, "latency_ns"]  # the rest is a line along the top
    ax.set_xlim(right=max(within, default=table["latency_ns"].max()) / 1e3 * 1.5)
    _tidy(ax)
    _legend_above(ax)
    return ax


def short(label: str) -> str:
    """Return a point's label without its addresses, for example ``"virtio, 8 VMs"``."""
    words = []
    for part in label.split():
        address, equals, level = part.partition("=")
        if address == "vm.count":
            words.append(f"{level} VM" + ("s" if level != "1" else ""))
        else:
            words.append(level if equals else part)
    return ", ".join(words)


def save(axes: Axes, path: Path) -> None:
    """Write the figure of `axes` as a picture, and let go of it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from matplotlib import pyplot as plt

    figure = axes.get_figure(root=True)
    assert figure is not None, "axes to draw on are in a figure"
    try:
        figure.savefig(path, dpi=150, bbox_inches="tight")  # legends stand beside the axes
    except OSError as error:
        raise OutputError(path, f"cannot be written: {error.strerror}") from None
    finally:
        plt.close(figure)


def _axes(width: float, height: float) -> Axes:
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def _by_cause(accounts: Mapping[str, float]) -> dict[str, float]:
    causes: dict[str, float] = {}
    for account, ns in accounts.items():
        causes[cause(account)] = causes.get(cause(account), 0.0) + ns / 1e3
    return causes


def _inside(colour: str) -> dict[str, Any]:
    dark = colour in ("#D55E00", "#009E73", "#7F7F7F")
    paint = "white" if dark else "black"
    return {"ha": "center", "va": "center", "fontsize": 8, "color": paint}


def _finish_bars(
    ax: Axes,
    labels: list[str],
    sums: Mapping[str, Mapping[str, float]],
    longest: float,
    title: str,
) -> None:
    from matplotlib.patches import Patch

    used = [name for name in CAUSES if any(causes.get(name) for causes in sums.values())]
    handles = [Patch(color=CAUSES[name][0], label=name) for name in used]
    ax.set_yticks(range(len(labels)), [short(label) for label in labels])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.14 * longest)
    ax.set_xlabel("time per request [us]")
    ax.set_title(title, loc="left", fontsize=10)
    _tidy(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    below = -0.9 / (0.9 + 0.5 * len(labels))
    ax.legend(
        handles=handles,
        ncols=4,
        frameon=False,
        fontsize=8.5,
        loc="upper center",
        bbox_to_anchor=(0.45, below),
    )


def _line(index: int) -> dict[str, Any]:
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index % len(LINES)],
        "markersize": 5,
        "linewidth": 1.6,
        "capsize": 3,
    }


def _legend_above(ax: Axes) -> None:
    if not ax.get_legend_handles_labels()[1]:
        return  # a line alone needs no name
    ax.legend(frameon=False, fontsize=8.5, ncols=3, loc="lower left", bbox_to_anchor=(-0.1, 1.0))


def _tidy(ax: Axes) -> None:
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.grid(color="#E5E5E5", linewidth=0.7)
    ax.set_axisbelow(True)
