"""Which boxes of an answer are right, as counts that add up over samples; and average precision from such counts.

A table holds, for each class, a row for all boxes and one for those that are right at each IoU of `IOUS`, by their
score; the last column of the first row counts the boxes of the truth. Average precision over summed tables is that of
COCO (Lin et al. 2014, arXiv:1405.0312: 101 recalls, precision made monotonous), but for the order of boxes that share
one of `BINS` scores.
"""

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.arrays import Floats
from models.tasks.detection.boxes import ANSWERED_CLASS, CLASS, IGNORED, SCORE, areas, best_first

IOUS = (0.3, *(round(0.5 + 0.05 * step, 2) for step in range(10)))
"""Overlaps at which a box counts as right."""

IOU_50 = IOUS.index(0.5)

BINS = 500
"""Of the scores, equally wide in their logits."""

LOGIT = 6.0
"""Bound of the logits: scores from .0025 to .9975 are told apart."""

ROWS = 1 + len(IOUS)
"""Of a class in a table."""

MOST_ANSWERS = 300
"""Boxes of an image's answer that are counted, the likeliest."""

COVERED = 0.5
"""A box that lies in an ignored region by this share of its area, and on no object, is neither right nor wrong."""

LEAST_COMPARED = 1e-3
"""Boxes of a lower score are not compared."""

RECALLS = 100

Table = NDArray[np.float64]
"""(..., K * ROWS, BINS + 1)."""


def matched(truth: Floats, answer: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Which boxes of an answer are right: in order of their scores, each takes the free box that it overlaps most.

    Args:
        truth: Shape (n, 5).
        answer: Shape (m, 6).

    Returns:
        The boxes that count, the likeliest first (k, 6), and whether each is right at each of `IOUS`, (k, IoUs).
    """
    ranked = best_first(answer, 0.0)[:MOST_ANSWERS]
    ignored = truth[:, CLASS] == IGNORED
    objects = truth[~ignored]
    right = np.zeros((len(ranked), len(IOUS)), np.bool_)
    overlaps = np.zeros((len(ranked), len(objects)))
    if len(ranked) and len(objects):
        overlaps = metrics.box_iou(ranked[:, :4], objects[:, :4])
        overlaps[ranked[:, ANSWERED_CLASS][:, None] != objects[:, CLASS]] = 0.0
        overlaps = np.nan_to_num(overlaps)
        for column, least in enumerate(IOUS):
            free = np.ones(len(objects), np.bool_)
            for row in np.flatnonzero(overlaps.max(axis=1) >= least).tolist():
                found = np.where(free, overlaps[row], 0.0)
                best = int(found.argmax())
                if found[best] >= least:
                    right[row, column] = True
                    free[best] = False
    kept = ~covered(ranked, truth[ignored]) | right.any(axis=1)
    return ranked[kept], right[kept]


def counted(truth: Floats, answer: Floats, classes: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The table of one image, and calibration bins of its scores at an IoU of .5.

    Args:
        truth: Shape (n, 5).
        answer: Shape (m, 6).
        classes: K.
    """
    ranked, right = matched(truth, answer)
    table = np.zeros((classes, ROWS, BINS + 1), np.int64)
    labels = truth[truth[:, CLASS] != IGNORED, CLASS].astype(np.int64)
    table[:, 0, BINS] = np.bincount(labels, minlength=classes)
    place, label = score_bins(ranked[:, SCORE]), ranked[:, ANSWERED_CLASS].astype(np.int64)
    for row, column in enumerate(np.column_stack([np.ones(len(right), np.bool_), right]).T):
        np.add.at(table[:, row], (label, place), column)
    likely = ranked[:, SCORE] >= 1 / metrics.CALIBRATION_BINS  # what nobody is shown would drown the rest
    bins = metrics.calibration_bins(ranked[likely, SCORE], right[likely, IOU_50])
    return table.reshape(classes * ROWS, BINS + 1), bins


def score_bins(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Place (m,) of each score in a table, ascending."""
    inside = np.clip(scores.astype(np.float64), 1e-9, 1 - 1e-9)
    share = (np.log(inside / (1 - inside)) + LOGIT) / (2 * LOGIT)
    return np.clip((share * BINS).astype(np.int64), 0, BINS - 1)


def class_precision(tables: Table, ious: slice = slice(IOU_50, IOU_50 + 1)) -> NDArray[np.float64]:
    """Average precision (..., K) of each class, mean over some of `IOUS`; NaN where the truth has no such class."""
    parts = _by_class(tables)
    truth = parts[..., 0, BINS]
    answered = parts[..., :1, BINS - 1 :: -1].cumsum(axis=-1)  # (..., K, 1, BINS), the highest score first
    right = parts[..., 1 + ious.start : 1 + ious.stop, BINS - 1 :: -1].cumsum(axis=-1)
    precision = np.divide(right, answered, out=np.zeros_like(right), where=answered > 0)
    precision = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    recall = right / np.maximum(truth, 1e-9)[..., None, None]
    reached = np.floor(np.minimum(recall, 1.0) * RECALLS + 1e-9) + 1  # recalls 0, .01, ... that are reached
    steps = np.diff(reached, axis=-1, prepend=0.0)
    average = (precision * steps).sum(axis=-1).mean(axis=-1) / (RECALLS + 1)
    return np.where(truth > 0, average, np.nan)


def map_50(tables: Table) -> NDArray[np.float64]:
    """Mean average precision at an IoU of .5, over the classes that the truth holds."""
    return metrics.mean_of_present(class_precision(tables))


def map_50_95(tables: Table) -> NDArray[np.float64]:
    """Mean average precision over IoUs from .5 to .95, as COCO has it."""
    return metrics.mean_of_present(class_precision(tables, slice(IOU_50, len(IOUS))))


def map_30(tables: Table) -> NDArray[np.float64]:
    """Mean average precision at an IoU of .3, for objects of few pixels."""
    return metrics.mean_of_present(class_precision(tables, slice(0, 1)))


def answers_apart(expected: Floats, answer: Floats, side_weight: float) -> float:
    """Largest difference between the boxes of two answers (m, 6) for one image, whatever their order.

    Each likely box of one is compared with the nearest of the same class of the other, by scores and by sides times
    `side_weight`. Boxes about as unlikely as the last one are left out: which of them have a row is chance.
    """
    if not (np.isfinite(expected).all() and np.isfinite(answer).all()):
        return float("nan")
    last = max(float(expected[-1, SCORE]), float(answer[-1, SCORE]), LEAST_COMPARED)
    apart = 0.0
    for one, other in ((expected, answer), (answer, expected)):
        likely = one[one[:, SCORE] > last + LEAST_COMPARED]
        if not len(likely):
            continue
        sides = np.abs(likely[:, None, :4] - other[None, :, :4]).max(axis=2) * side_weight
        scores = np.abs(likely[:, None, SCORE] - other[None, :, SCORE])
        classes = (likely[:, None, ANSWERED_CLASS] != other[None, :, ANSWERED_CLASS]).astype(np.float32)
        apart = max(apart, float(np.maximum(np.maximum(sides, scores), classes).min(axis=1).max()))
    return apart


def _by_class(tables: Table) -> Table:
    """As (..., K, ROWS, BINS + 1)."""
    return np.asarray(tables, np.float64).reshape(*tables.shape[:-2], -1, ROWS, BINS + 1)


def covered(ranked: Floats, regions: Floats) -> NDArray[np.bool_]:
    """Which boxes (k, 6) lie in an ignored region (r, 5), shape (k,)."""
    if not len(regions) or not len(ranked):
        return np.zeros(len(ranked), np.bool_)
    one, other = ranked[:, None, :4], regions[None, :, :4]
    sides = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2])
    shared = np.maximum(sides, 0.0).prod(axis=-1).max(axis=1)
    return np.asarray(shared >= COVERED * np.maximum(areas(ranked), 1e-9))
