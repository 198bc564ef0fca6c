"""The learning curves as a table in the terminal."""

from rich.table import Table

from al_loop.curves import CurveValue, LearningCurves, labels_to_reach, values_of

BASELINE = "random"


def curve_table(curves: LearningCurves) -> Table:
    """Mean and 95 % interval of each strategy at each label count, and the labels it saves against random."""
    names = sorted(curves.strategies, key=lambda name: name != BASELINE)
    values = {name: values_of(curves.strategies[name], len(curves.labels)) for name in names}
    seeds = max((len(curves.strategies[name].runs) for name in names), default=0)
    table = Table(title=f"test {curves.metric} (mean and 95 % interval of {seeds} seeds)", caption=_saving(curves))
    table.add_column("labels", justify="right")
    for name in names:
        table.add_column(name, justify="right")
    for row, labels in enumerate(curves.labels):
        table.add_row(str(labels), *(_cell(values[name][row]) for name in names))
    return table


def _cell(value: CurveValue | None) -> str:
    if value is None:
        return "no model"
    if value.low is None or value.high is None:
        return f"{value.mean:.1%}"
    return f"{value.mean:.1%} ± {(value.high - value.low) / 2:.1%}"


def _saving(curves: LearningCurves) -> str:
    """How many labels each strategy needs for what random reaches with all of them."""
    means = {
        name: [value.mean if value else None for value in values_of(curve, len(curves.labels))]
        for name, curve in curves.strategies.items()
    }
    target = means.get(BASELINE, [None])[-1]
    if target is None:
        return ""
    parts = []
    for name in means:
        if name != BASELINE:
            needed = labels_to_reach(curves.labels, means[name], target)
            words = "never" if needed is None else f"at {needed:.0f} labels ({curves.labels[-1] / needed:.2f}x fewer)"
            parts.append(f"{name} {words}")
    return f"random ends at {target:.1%}; reached by {', '.join(parts)}" if parts else ""
