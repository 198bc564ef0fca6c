"""From the boxes of a detector to the scores of samples: a sample is worth its most uncertain boxes, not their mean.

A mean over all boxes drowns the doubtful ones in a crowd of sure ones, and a sum asks for crowds. So boxes are the
regions of `al_loop.cell_scores`: the most uncertain quarter of an image's boxes counts, and each class has its own
highest uncertainty, from which `clasp_pe` gives equal shares to classes (Brust et al. 2019, arXiv 1809.09875, compare
aggregations over boxes and find class weighting to matter).
"""

import numpy as np
from numpy.typing import NDArray

from al_loop.acquisition import SCORE_NAMES, ScoreName, all_scores
from al_loop.cell_scores import CellScores, region_scores, region_strata

Ids = NDArray[np.int64]
Matrix = NDArray[np.float32]


def box_scores(
    sample_ids: Ids, box_samples: Ids, labels: NDArray[np.int64], confidences: Matrix, classes: int
) -> CellScores:
    """Score the samples that a detector looked at.

    A box is a yes-or-no question, "is there one of this class": the detector's confidence and its complement. Pass
    boxes of low confidence too, and none that suppression of overlapping boxes removed.

    Args:
        sample_ids: All samples that were looked at, shape (S,), ascending; those without a box score 0.
        box_samples: Sample of each box, shape (M,), in any order, each one of `sample_ids`.
        labels: Class of each box, shape (M,), 1 to `classes`.
        confidences: That the box is right, shape (M,), in [0, 1].
        classes: K.

    Returns:
        Scores of shape (S,) each, in the ranges of two answers (entropy up to ln 2), and strata (S, K + 1): the highest
        entropy among the boxes of each class, NaN where an image has none of it; code 0, background, is never one.

    Raises:
        ValueError: Shapes that differ, a confidence outside of [0, 1], a label out of range, or an unknown sample.
    """
    if not len(box_samples) == len(labels) == len(confidences):
        raise ValueError(f"{len(box_samples)} samples, {len(labels)} labels, {len(confidences)} confidences of boxes")
    if not ((confidences >= 0) & (confidences <= 1)).all():  # NaN fails as well
        raise ValueError("confidences of boxes must lie in [0, 1]")
    if not ((labels >= 1) & (labels <= classes)).all():
        raise ValueError(f"labels of boxes must lie in 1 to {classes}")
    if not np.isin(box_samples, sample_ids).all():
        raise ValueError("a box belongs to a sample that is not among `sample_ids`")
    strata = np.full((len(sample_ids), classes + 1), np.nan, np.float32)
    scores: dict[ScoreName, Matrix] = {name: np.zeros(len(sample_ids), np.float32) for name in SCORE_NAMES}
    if len(box_samples):
        order = np.argsort(box_samples, kind="stable")
        present, groups = np.unique(box_samples[order], return_inverse=True)
        rows = np.searchsorted(sample_ids, present)
        sure = confidences[order].astype(np.float32)
        by_box = all_scores(np.stack([sure, 1 - sure], axis=1))
        for name, values in region_scores(groups, by_box).items():
            scores[name][rows] = values
        predicted = np.eye(classes, dtype=np.float32)[labels[order] - 1]
        strata[rows] = region_strata(groups, by_box["entropy"], predicted, 1)
    return CellScores(sample_ids, scores, strata)
