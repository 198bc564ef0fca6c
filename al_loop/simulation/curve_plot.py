"""Draw learning curves with matplotlib, for paper-white and for dark pages."""

import io
from itertools import cycle, product
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from al_loop.simulation.curves import CurveRuns, LearningCurves, values_of
from al_loop_records.metric_names import metric_name

Theme = Literal["light", "dark"]
DPI = 150

BASELINE = "random"
_COLOURS = ("#1f77d0", "#e07b00", "#2a9d5c", "#b5379c", "#c0392b", "#6a5acd")
_STYLES = ("solid", "dashed", "dotted")
"""One after the other when the colours are used up."""
_BASELINE_COLOUR: dict[Theme, str] = {"light": "#7a828c", "dark": "#9aa4b0"}
_INK: dict[Theme, str] = {"light": "#1d2733", "dark": "#e3e8ee"}
_GRID: dict[Theme, str] = {"light": "#dfe4ea", "dark": "#38424e"}
_PAPER: dict[Theme, str] = {"light": "#ffffff", "dark": "#161c23"}


def curve_png(curves: LearningCurves, *, title: str = "", theme: Theme = "light") -> bytes:
    """A PNG of mean test metric against labels spent, with 95 % intervals; the random baseline is grey.

    With more strategies than colours, line styles tell them apart, the legend stands beside the plot, and intervals are
    left out.
    """
    many = len(curves.strategies) > len(_COLOURS) + 1
    figure = Figure(figsize=(9.6 if many else 7.2, 4.2), dpi=DPI, facecolor=_PAPER[theme], layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    looks = cycle(product(_STYLES, _COLOURS))
    for name in sorted(curves.strategies, key=lambda name: name != BASELINE):
        style, colour = ("solid", _BASELINE_COLOUR[theme]) if name == BASELINE else next(looks)
        _draw(axes, curves.labels, name, curves.strategies[name], colour, style, bands=not many)
    _dress(axes, curves, title, theme)
    legend = (
        figure.legend(loc="outside right center", frameon=False)
        if many
        else axes.legend(loc="lower right", frameon=False)
    )
    for text in legend.get_texts():
        text.set_color(_INK[theme])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=figure.get_facecolor())
    return buffer.getvalue()


def _draw(axes: Axes, labels: list[int], name: str, curve: CurveRuns, colour: str, style: str, *, bands: bool) -> None:
    points = [
        (count, value) for count, value in zip(labels, values_of(curve, len(labels)), strict=True) if value is not None
    ]
    runs = f"{name} ({len(curve.runs)} seeds)" if len(curve.runs) > 1 else name
    counts, means = [count for count, _ in points], [value.mean for _, value in points]
    axes.plot(counts, means, color=colour, linestyle=style, marker="o", markersize=4, linewidth=2, label=runs, zorder=3)
    known = [(count, value.low, value.high) for count, value in points if value.low is not None]
    if bands and known:
        x, low, high = zip(*known, strict=True)
        axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0, zorder=2)


def _dress(axes: Axes, curves: LearningCurves, title: str, theme: Theme) -> None:
    ink, grid = _INK[theme], _GRID[theme]
    axes.set_facecolor(_PAPER[theme])
    axes.set_xlabel(f"{curves.counted_in} spent", color=ink)
    axes.set_ylabel(f"test {metric_name(curves.metric)}", color=ink)
    if title:
        axes.set_title(title, color=ink, loc="left", fontsize=11)
    axes.tick_params(colors=ink, length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=9))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axes.grid(color=grid, linewidth=0.8, zorder=0)
    for side in axes.spines.values():
        side.set_visible(False)
