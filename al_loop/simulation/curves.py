"""Learning curves: test metric against labels spent, for several strategies and seeds; the shape of `curve.json`."""

import math
from pathlib import Path
from typing import Literal

import msgspec
from scipy import stats

CURVE_FILE = "curve.json"
CONFIDENCE = 0.95


class CurveRuns(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The runs of one strategy."""

    runs: list[list[float | None]]
    """Test metric at each label count, a seed; None where a run has no model (yet)."""
    intervals: list[tuple[float, float] | None] | None = None
    """Interval of a single run's metric at each label count, where it was measured on the reserve."""
    worst_class: list[list[float | None]] | None = None
    """Recall (or IoU) of each run's worst class at each label count, where it was measured."""
    areas: list[list[float | None]] | None = None
    """Segmentation: labelled pixels as a share of all in the pool, at each label count, a seed."""
    boxes: list[list[float | None]] | None = None
    """Detection: boxes that were drawn, at each label count, a seed: an image costs as much as its objects."""
    points: list[int] | None = None
    """Where points are asked about: pixels that were answered, at each number of clicks."""


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its 95 % interval; without an interval for a single seed."""

    value: float
    low: float | None
    high: float | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy beside the baseline, seeds paired."""

    differences: list[Interval]
    """Metric of the strategy minus metric of the baseline, at each label count."""
    ratios: list[Interval]
    """At each label count: labels of the baseline / labels that the strategy needs for what the baseline has reached
    there. Above 1 saves labels. A strategy that never gets there counts as having spent all labels."""
    area: Interval
    """Difference of the mean heights of the curves."""
    worst_class: list[Interval] = []
    """Difference of the recall (or IoU) of the worst class of each run, at each label count."""


class LearningCurves(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `curve.json`."""

    metric: str
    labels: list[int]
    """Labels, or clicks, spent outside of the test reserve."""
    strategies: dict[str, CurveRuns]
    comparisons: dict[str, Comparison] = {}
    """Each strategy against the random baseline, where there is one."""
    counted_in: Literal["labels", "clicks"] = "labels"
    """What `labels` counts."""


class CurveValue(msgspec.Struct, frozen=True, kw_only=True):
    """Mean over runs at one label count."""

    mean: float
    low: float | None
    high: float | None
    runs: int


def values_of(curve: CurveRuns, points: int) -> list[CurveValue | None]:
    """Mean and 95 % interval at each label count; None where no run has a value.

    The interval is Student's t over the runs, or, for a single run, the interval that the run brought along.
    """
    values: list[CurveValue | None] = []
    for point in range(points):
        found = [value for run in curve.runs if point < len(run) and (value := run[point]) is not None]
        if not found:
            values.append(None)
            continue
        mean = math.fsum(found) / len(found)
        low, high = _interval(found, mean)
        if len(found) == 1 and curve.intervals is not None and (measured := curve.intervals[point]) is not None:
            low, high = measured
        values.append(CurveValue(mean=mean, low=low, high=high, runs=len(found)))
    return values


def _interval(found: list[float], mean: float) -> tuple[float | None, float | None]:
    if len(found) < 2:
        return None, None
    variance = math.fsum((value - mean) ** 2 for value in found) / (len(found) - 1)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(found) - 1)) * math.sqrt(variance / len(found))
    return mean - half, mean + half


def labels_to_reach(labels: list[int], means: list[float | None], target: float) -> float | None:
    """Labels at which a curve first reaches `target`, interpolated linearly; None if it never does."""
    previous: tuple[int, float] | None = None
    for count, mean in zip(labels, means, strict=True):
        if mean is None:
            continue
        if mean >= target:
            if previous is None or mean == previous[1]:
                return float(count)
            share = (target - previous[1]) / (mean - previous[1])
            return previous[0] + share * (count - previous[0])
        previous = (count, mean)
    return None


def write_curves(directory: Path, curves: LearningCurves) -> Path:
    """Write `curve.json`."""
    path = directory / CURVE_FILE
    path.write_bytes(msgspec.json.format(msgspec.json.encode(curves), indent=1))
    return path
