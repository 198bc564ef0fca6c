"""Each strategy against the random baseline, paired by seed, with bootstrap intervals over the seeds.

Three seeds say little: rankings flip. Ten or more are worth quoting.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from al_loop.simulation.curves import Comparison, Interval, LearningCurves, labels_to_reach, values_of
from models.metrics import percentile_interval

BASELINE = "random"
RESAMPLES = 2_000

Runs = NDArray[np.float64]
"""Shape (seeds, label counts)."""


def compare(curves: LearningCurves) -> dict[str, Comparison]:
    """Comparisons of all strategies that have as many complete runs as the baseline; none without a baseline.

    Args:
        curves: Run s of every strategy has seed s.
    """
    baseline = _runs(curves, BASELINE)
    if baseline is None:
        return {}
    found = {}
    for name in curves.strategies:
        runs = _runs(curves, name)
        if name != BASELINE and runs is not None and runs.shape == baseline.shape:
            found[name] = _compare(curves, name, runs, baseline)
    return found


def shown_differences(curves: LearningCurves) -> list[str]:
    """A sentence for each strategy: where its curve and that of random are apart by more than their intervals."""
    points = len(curves.labels)
    sentences = []
    for name in curves.strategies if BASELINE in curves.strategies else ():
        if name == BASELINE:
            continue
        pairs = [values_of(curves.strategies[one], points) for one in (name, BASELINE)]
        apart = [
            str(labels)
            for labels, value, other in zip(curves.labels, *pairs, strict=True)
            if value is not None and other is not None
            if value.low is not None and value.high is not None and other.low is not None and other.high is not None
            if value.low > other.high or other.low > value.high
        ]
        sentences.append(
            f"{name} and {BASELINE} differ at {', '.join(apart)} {curves.counted_in}: "
            "their 95 % intervals do not overlap there."
            if apart
            else f"No difference between {name} and {BASELINE} is shown: their 95 % intervals overlap."
        )
    return sentences


def _compare(curves: LearningCurves, name: str, runs: Runs, baseline: Runs) -> Comparison:
    labels = curves.labels[: runs.shape[1]]
    picks = np.random.default_rng(0).integers(0, len(runs), (RESAMPLES, len(runs)))
    axis = np.asarray(labels, np.float64)

    def ratios(rows: NDArray[np.int64]) -> Runs:
        return _ratios(labels, runs[rows].mean(axis=0), baseline[rows].mean(axis=0))

    def area(rows: NDArray[np.int64]) -> Runs:
        height = np.trapezoid(runs[rows].mean(axis=0) - baseline[rows].mean(axis=0), axis)
        return np.array([height / max(axis[-1] - axis[0], 1)])

    worst = curves.strategies[name].worst_class, curves.strategies[BASELINE].worst_class
    lows = []
    if all(part is not None and all(value is not None for run in part for value in run) for part in worst):
        lows = _differences(_array(worst[0] or []), _array(worst[1] or []), picks)
    return Comparison(
        differences=_differences(runs, baseline, picks),
        ratios=_intervals(ratios, len(runs), picks),
        area=_intervals(area, len(runs), picks)[0],
        worst_class=lows,
    )


def _differences(runs: Runs, baseline: Runs, picks: NDArray[np.int64]) -> list[Interval]:
    paired = runs - baseline
    return _intervals(lambda rows: paired[rows].mean(axis=0), len(runs), picks)


def _ratios(labels: list[int], means: Runs, baseline: Runs) -> Runs:
    """Labels of the baseline over those of the strategy, for what the baseline reaches at each label count."""
    best = np.maximum.accumulate(baseline)  # a curve that dips asks for nothing less
    needed = [labels_to_reach(labels, list(means), target) for target in best]
    first = [labels_to_reach(labels, list(baseline), target) for target in best]
    return np.array([(there or labels[-1]) / (need or labels[-1]) for need, there in zip(needed, first, strict=True)])


def _intervals(statistic: Callable[[NDArray[np.int64]], Runs], seeds: int, picks: NDArray[np.int64]) -> list[Interval]:
    """Percentile bootstrap of a statistic of the seeds."""
    values = statistic(np.arange(seeds))
    if seeds == 1:
        return [Interval(value=float(value), low=None, high=None) for value in values]
    draws = np.stack([statistic(rows) for rows in picks])
    low, high = percentile_interval(draws)
    return [
        Interval(value=float(value), low=float(least), high=float(most))
        for value, least, most in zip(values, low, high, strict=True)
    ]


def _runs(curves: LearningCurves, name: str) -> Runs | None:
    curve = curves.strategies.get(name)
    if curve is None or any(value is None for run in curve.runs for value in run):
        return None
    return _array(curve.runs)


def _array(runs: list[list[float | None]]) -> Runs:
    return np.array(runs, np.float64)
