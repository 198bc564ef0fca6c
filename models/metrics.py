"""Metrics from counts: one small table a sample, summed for the value and resampled by block for the interval.

numpy only. A table holds `confusion` (rows: truth, columns: answer) for single-label classification and segmentation,
or (true positives, false positives, false negatives, true negatives) of each class for multi-label classification.
"""

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from models.card import IGNORE

CALIBRATION_BINS = 15

RESAMPLES = 1000

RESAMPLED_VALUES = 2**23
"""Values of summed tables that are held at once: those of detection are large."""

TAILS = (0.025, 0.975)

MOST_SHIFT = 1.0
"""Bound of the bias correction, in standard errors: over few blocks it would press the interval into one tail."""

_NORMAL = NormalDist()

Metric = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Tables (..., R, C) -> values (...), NaN where nothing was counted."""


def confusion(
    truth: NDArray[np.integer], answer: NDArray[np.integer], classes: int, ignore: int | None = IGNORE
) -> NDArray[np.int64]:
    """Confusion matrix (classes, classes) of equally shaped code arrays; what is `ignore` in either is left out.

    Args:
        truth: Codes from 0.
        answer: Codes from 0.
        classes: How many codes there are.
        ignore: Code of pixels that say nothing; None: there is none, as among class indices.
    """
    known = np.ones(np.shape(truth), np.bool_) if ignore is None else (truth != ignore) & (answer != ignore)
    pairs = truth[known].astype(np.int64) * classes + answer[known]
    return np.bincount(pairs.ravel(), minlength=classes * classes).reshape(classes, classes)


def detection_counts(truth: NDArray[np.bool_], answer: NDArray[np.bool_]) -> NDArray[np.int64]:
    """True positives, false positives, false negatives and true negatives (K, 4) of one sample's K classes."""
    return np.stack([truth & answer, ~truth & answer, truth & ~answer, ~truth & ~answer], axis=1).astype(np.int64)


def accuracy(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the diagonal; tables (..., K, K)."""
    return _ratio(np.trace(tables, axis1=-2, axis2=-1), tables.sum(axis=(-2, -1)))


def class_recall(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Recall (..., K) of each class; NaN where the truth has no such class."""
    return _ratio(_diagonal(tables), tables.sum(axis=-1))


def mask_iou(first: NDArray[np.integer], second: NDArray[np.integer], classes: int) -> NDArray[np.float64]:
    """Intersection over union (classes,) of two masks (H, W) of codes 0..classes, none of which is the truth.

    Pixels that either leaves open (255) are left out; the background is no class. NaN where neither has the class.
    """
    table = confusion(first, second, classes + 1).astype(np.float64)
    return _overlap(table)[1:]


def mean_mask_iou(ious: NDArray[np.float64]) -> float:
    """Mean of `mask_iou` over the classes that either mask has; 1 where both are empty."""
    return 1.0 if np.isnan(ious).all() else float(np.nanmean(ious))


def box_iou(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union (n, m) of boxes (n, 4) with boxes (m, 4), each left, lower, right and upper side.

    Any axes will do, as long as left < right and lower < upper. Boxes that only touch have 0.
    """
    return paired_box_iou(np.asarray(first, np.float64)[:, None], np.asarray(second, np.float64)[None])


def paired_box_iou(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union (...) of boxes (..., 4) with those at the same places of another array; see `box_iou`."""
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = np.maximum(sides, 0.0).prod(axis=-1)
    areas = (one[..., 2:] - one[..., :2]).prod(axis=-1) + (other[..., 2:] - other[..., :2]).prod(axis=-1)
    return _ratio(shared, areas - shared)


def class_iou(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union (..., K) of classes 1..K from tables (..., K + 1, K + 1), background first.

    The background has no value of its own: it would hide a rare class behind a number near 1. Pixels confused with
    it still count against the classes. NaN where the truth has no such class.
    """
    return np.where(tables.sum(axis=-1) > 0, _overlap(tables), np.nan)[..., 1:]


def miou(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of `class_iou` over the classes that the truth holds."""
    return mean_of_present(class_iou(tables))


def class_f1(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 (..., K) of each class from tables (..., K, 4); NaN where the truth has no such class."""
    true_positive, false_positive, false_negative, _ = np.moveaxis(tables, -1, 0)
    present = true_positive + false_negative > 0
    return _ratio(2 * true_positive, np.where(present, 2 * true_positive + false_positive + false_negative, 0.0))


def macro_f1(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of `class_f1` over the classes that the truth holds."""
    return mean_of_present(class_f1(tables))


def calibration_bins(confidence: NDArray[np.floating], correct: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count, summed confidence and summed correctness (15, 3) of equal-width bins of the confidence in [0, 1]."""
    index = np.minimum((confidence.ravel() * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    columns = [np.ones(index.size), confidence.ravel(), correct.ravel()]
    return np.stack([np.bincount(index, weights=column, minlength=CALIBRATION_BINS) for column in columns], axis=1)


def expected_calibration_error(bins: NDArray[np.float64]) -> float:
    """Mean gap between confidence and correctness, weighted by count (Guo et al. 2017, arXiv:1706.04599)."""
    return float(np.abs(bins[:, 1] - bins[:, 2]).sum() / max(bins[:, 0].sum(), 1.0))


def resample_weights(blocks: Sequence[str], seed: int) -> NDArray[np.float64]:
    """How often each sample is drawn in each of `RESAMPLES` bootstrap resamples of whole blocks.

    Samples of one block resemble one another, so drawing them singly would give intervals that are too narrow. With a
    single block there is nothing to resample but its samples.

    Args:
        blocks: Block of each sample.
        seed: Of the draws.

    Returns:
        Shape (RESAMPLES, len(blocks)), whole numbers.
    """
    names, members = np.unique(np.asarray(blocks), return_inverse=True)
    if len(names) == 1:
        members = np.arange(len(blocks))
    count = int(members.max()) + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=RESAMPLES)
    return draws[:, members].astype(np.float64)


def resampled(metric: Metric, tables: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The metric (RESAMPLES,) of every resample of the tables (S, R, C)."""
    flat = tables.reshape(len(tables), -1)
    step = max(1, RESAMPLED_VALUES // max(flat.shape[1], 1))
    parts = (weights[start : start + step] @ flat for start in range(0, len(weights), step))
    return np.concatenate([metric(sums.reshape(len(sums), *tables.shape[1:])) for sums in parts])


def interval(values: NDArray[np.float64], estimate: float) -> tuple[float, float]:
    """95 % interval of an estimate from its resampled values, by bias-corrected percentiles.

    A mean of ratios over few blocks comes out lower in resamples than in the sample itself; plain percentiles would
    put the estimate at the edge of its own interval (Efron 1981, Canadian Journal of Statistics 9:139).

    Args:
        values: The metric of each resample; those that hold no class at all (NaN) are left out.
        estimate: The metric of the sample itself; it always lies in the interval.
    """
    finite = values[np.isfinite(values)]
    below = (finite < estimate).mean() + (finite == estimate).mean() / 2
    edge = 1 / (len(finite) + 1)
    shift = np.clip(2 * _NORMAL.inv_cdf(float(np.clip(below, edge, 1 - edge))), -MOST_SHIFT, MOST_SHIFT)
    low, high = np.quantile(finite, [_NORMAL.cdf(shift + _NORMAL.inv_cdf(tail)) for tail in TAILS])
    return min(float(low), estimate), max(float(high), estimate)


def binomial_interval(successes: int, trials: int) -> tuple[float, float]:
    """Exact 95 % interval of a share (Clopper and Pearson 1934, Biometrika 26:404).

    It holds its level for any number of trials; a bootstrap of 5 right answers of 5 would say "between 1 and 1".
    """
    from scipy.special import betaincinv  # loads in a tenth of a second, and only evaluation needs it

    tail = TAILS[0]
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


def wide_enough(low: float, high: float, samples: int) -> tuple[float, float]:
    """The interval of a metric in [0, 1] from resamples, widened where these are all alike.

    Resamples of images that are all right (or all wrong, or of one image) give one value, and with it an interval of no
    width. As for a share, the exact binomial interval of `samples` such images says how far it can be off: all right of
    5 is "0.48 to 1".

    Args:
        low: Lower end from resamples.
        high: Upper end from resamples.
        samples: Images that were resampled.
    """
    if low < high:
        return low, high
    unseen = binomial_interval(0, samples)[1]
    return low * (1 - unseen), high + (1 - high) * unseen


def percentile_interval(draws: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % intervals of statistics by plain percentiles of their resampled values.

    Efron 1979, doi 10.1214/aos/1176344552. For means, differences and kappa; the metrics of a model over few blocks
    need the bias correction of `interval`.

    Args:
        draws: Shape (B, ...), one resample a row; NaN where a resample has no value.

    Returns:
        Lower and upper ends, each of shape (...).
    """
    low, high = np.nanpercentile(draws, [100 * tail for tail in TAILS], axis=0)
    return low, high


def resampled_means(values: NDArray[np.float64], resamples: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Means (resamples,) of as many of the values (n,) drawn with replacement; memory is that of one resample."""
    count = len(values)
    return np.array([values[random.integers(0, count, count)].mean() for _ in range(resamples)])


def _overlap(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union (..., K) of each code of tables (..., K, K); NaN where neither side has it."""
    both = _diagonal(tables)
    return _ratio(both, tables.sum(axis=-1) + tables.sum(axis=-2) - both)


def _diagonal(tables: NDArray[np.float64]) -> NDArray[np.float64]:
    diagonal: NDArray[np.float64] = np.einsum("...kk->...k", tables)
    return diagonal


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part / whole, NaN where whole is 0."""
    ratio: NDArray[np.float64] = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return ratio


def mean_of_present(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the last axis without NaN; NaN where all are."""
    present = ~np.isnan(values)
    return _ratio(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1).astype(np.float64))
