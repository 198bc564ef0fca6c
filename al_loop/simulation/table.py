"""The learning curves, and what they say against random, as tables in the terminal."""

from rich.console import Group
from rich.table import Table

from al_loop.simulation.curves import CurveRuns, CurveValue, Interval, LearningCurves, values_of
from al_loop_records.metric_names import metric_name

BASELINE = "random"


MOST_BESIDE = 3
"""Strategies beside random in one table, so that it fits a terminal of 80 columns."""


def curve_table(curves: LearningCurves) -> Group:
    """Mean and 95 % interval of each strategy at each label count, some strategies a table, each beside random."""
    baseline = [name for name in curves.strategies if name == BASELINE]
    others = [name for name in curves.strategies if name != BASELINE]
    parts = [others[start : start + MOST_BESIDE] for start in range(0, len(others), MOST_BESIDE)]
    return Group(*(_part(curves, baseline + part) for part in parts or [[]]))


def _part(curves: LearningCurves, names: list[str]) -> Table:
    values = {name: values_of(curves.strategies[name], len(curves.labels)) for name in names}
    seeds = max((len(curves.strategies[name].runs) for name in names), default=0)
    table = Table(title=f"test {metric_name(curves.metric)} (mean and 95 % interval of {seeds} seeds)")
    table.add_column(curves.counted_in, justify="right")
    for name in names:
        table.add_column(name, justify="right")
    for row, labels in enumerate(curves.labels):
        table.add_row(str(labels), *(_cell(values[name][row]) for name in names))
    return table


def area_table(curves: LearningCurves) -> Table:
    """What was answered for the clicks: points of each strategy, and what share of the pool's pixels they are."""
    table = Table(title="points answered (share of all pixels outside of the test)")
    table.add_column(curves.counted_in, justify="right")
    for name in curves.strategies:
        table.add_column(name, justify="right")
    for row, clicks in enumerate(curves.labels):
        table.add_row(str(clicks), *(_answered(curve, row) for curve in curves.strategies.values()))
    return table


def _answered(curve: CurveRuns, row: int) -> str:
    if curve.points is None or row >= len(curve.points):
        return ""
    area = None if curve.areas is None else curve.areas[0][row]
    return f"{curve.points[row]}" + ("" if area is None else f" ({100 * area:.2g} %)")


def box_table(curves: LearningCurves) -> Table:
    """What the labels of each strategy cost: boxes drawn, the mean over the seeds."""
    table = Table(title="boxes drawn (mean of the seeds)")
    table.add_column(curves.counted_in, justify="right")
    for name in curves.strategies:
        table.add_column(name, justify="right")
    for row, labels in enumerate(curves.labels):
        found = [_of_row(curve.boxes or [], row) for curve in curves.strategies.values()]
        table.add_row(str(labels), *(f"{sum(counts) / len(counts):.1f}" if counts else "" for counts in found))
    return table


def _of_row(runs: list[list[float | None]], row: int) -> list[float]:
    return [count for run in runs if row < len(run) and (count := run[row]) is not None]


def comparison_table(curves: LearningCurves) -> Table:
    """Each strategy against random, seeds paired: labels saved, height of the curve, worst class, worst label count."""
    labels, unit = curves.labels, curves.counted_in
    marks = sorted({min(range(len(labels)), key=lambda row: abs(labels[row] - labels[-1] / 3)), len(labels) - 1})
    seeds = max((len(curve.runs) for curve in curves.strategies.values()), default=0)
    table = Table(
        title=f"against random, {seeds} paired seeds (95 % bootstrap interval)",
        caption=f"{unit} saved: {unit} of random / {unit} of the strategy for what random reaches with them; "
        "differences in points of the metric",
    )
    table.add_column("strategy", no_wrap=True)
    for mark in marks:
        table.add_column(f"{unit} saved at {labels[mark]}", justify="right")
    for title in ("mean of the curve", "worst class at the end", "least ahead"):
        table.add_column(title, justify="right")
    for name, found in curves.comparisons.items():
        least = min(range(len(found.differences)), key=lambda row: found.differences[row].value)
        table.add_row(
            name,
            *(f"{_times(found.ratios[mark])}" for mark in marks),
            _points(found.area),
            _points(found.worst_class[-1]) if found.worst_class else "",
            f"{_points(found.differences[least])} at {labels[least]}",
        )
    return table


def _times(interval: Interval) -> str:
    return f"{interval.value:.2f}x{_range(interval, '.2f')}"


def _points(interval: Interval) -> str:
    points = [None if value is None else 100 * value for value in (interval.low, interval.high)]
    return f"{100 * interval.value:+.1f}{_range(Interval(value=0, low=points[0], high=points[1]), '+.1f')}"


def _range(interval: Interval, form: str) -> str:
    """The interval in brackets; seeds that agree have none, since they say nothing of other seeds."""
    if interval.low is None or interval.high is None:
        return ""
    if interval.low == interval.high:
        return " (seeds agree)"
    return f" ({interval.low:{form}} to {interval.high:{form}})"


def _cell(value: CurveValue | None) -> str:
    if value is None:
        return "no model"
    if value.low is None or value.high is None:
        return f"{value.mean:.1%}"
    if value.low == value.high:
        return f"{value.mean:.1%} ({value.runs} seeds agree)"
    return f"{value.mean:.1%} ± {(value.high - value.low) / 2:.1%}"
