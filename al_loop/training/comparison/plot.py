"""A comparison as a picture: differences of quality with intervals, and the costs of the joint model as shares."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from al_loop.domain.comparisons import ComparisonResult
from al_loop_records.metric_names import metric_name

DPI = 150
INK, GRID, ACCENT, SOFT = "#1d2733", "#dfe4ea", "#1f77d0", "#7a828c"


def comparison_png(result: ComparisonResult, title: str = "") -> bytes:
    """A PNG of the outcome.

    Args:
        result: What was measured.
        title: Written above it.
    """
    rows = max(len(result.tasks), 5)
    figure = Figure(figsize=(9.6, 1.2 + 0.45 * rows), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    _draw_qualities(left, result)
    _draw_costs(right, result)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_qualities(axes: Axes, result: ComparisonResult) -> None:
    for row, entry in enumerate(result.tasks):
        if entry.low is not None and entry.high is not None:
            axes.plot([100 * entry.low, 100 * entry.high], [row, row], color=ACCENT, linewidth=2.5)
        seeds = [100 * (ours - theirs) for theirs, ours in zip(entry.alone, entry.joint, strict=True)]
        axes.plot(seeds, [row] * len(seeds), "|", color=SOFT, markersize=9)
        axes.plot([100 * entry.difference], [row], "o", color=ACCENT, markersize=8)
    axes.axvline(0, color=INK, linewidth=1)
    _dress(axes, [f"{entry.task}\n({metric_name(entry.metric)})" for entry in result.tasks])
    axes.set_xlabel("joint - alone, points; 95 % interval, bars: seeds", color=INK)


def _draw_costs(axes: Axes, result: ComparisonResult) -> None:
    sizes = [batch.images for batch in result.models[-1].batches]
    shares = {
        "training time": result.training_time,
        "size of the ONNX file": result.size,
        **{f"time, {images} at once": value for images, value in zip(sizes, result.latency, strict=False)},
        "memory of a run": result.memory,
    }
    known = {name: value for name, value in shares.items() if value is not None}
    for row, value in enumerate(known.values()):
        axes.barh(row, value, color=ACCENT, alpha=0.75, height=0.6)
        axes.text(value, row, f" {value:.2f}", va="center", color=INK, fontsize=9)
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_xlim(0, max([1.15, *(1.15 * value for value in known.values())]))
    _dress(axes, list(known))
    axes.set_xlabel("joint model / all single ones together", color=INK)


def _dress(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(colors=INK, length=0)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
