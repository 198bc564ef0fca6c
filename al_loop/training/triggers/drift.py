"""Is new imagery unlike the old? A classifier two-sample test on embeddings.

A ridge classifier learns to tell new images from old ones; how well it does on images that were left out (AUC) is how
far they differ, as in Lopez-Paz & Oquab (2017, "Revisiting classifier two-sample tests", ICLR) and Rabanser et al.
(2019, "Failing loudly", NeurIPS). What chance gives comes from random divisions of the same images (permutation test).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.scoring.embedding_space import fit_space

LEAST_IMAGES = 20
"""New and old images without which nothing is said."""
MOST_IMAGES = 300
"""New and old images that are compared at most; chosen at random, always the same."""
DIVISIONS = 199
"""Random divisions: the smallest p-value is 1 / 200."""


class TwoSampleTest(NamedTuple):
    """How far two sets of images differ."""

    auc: float
    """0.5: not at all; 1: every new image can be told from every old one."""
    chance: float
    """95th percentile of the AUC of random divisions."""
    p_value: float
    """Share of random divisions, and this one, that reach `auc`."""


def tell_apart(old: NDArray[np.floating], new: NDArray[np.floating]) -> TwoSampleTest:
    """Compare old embeddings (N, D) with new ones (M, D), both of one version; the same answer for the same rows.

    Left-one-out predictions of a ridge classifier follow from its hat matrix, which does not depend on who is new:
    that is why the random divisions cost next to nothing.

    Raises:
        NonFiniteScoresError: NaN or infinite values.
    """
    values = np.concatenate([old, new])
    points = fit_space([values]).apply([values]).astype(np.float64)
    points -= points.mean(axis=0)
    kernel = points @ points.T
    size, ridge = len(points), max(float(np.trace(kernel)) / len(points), 1e-9)
    hat = kernel @ np.linalg.inv(kernel + ridge * np.eye(size)) + 1 / size
    is_new = np.zeros((size, DIVISIONS + 1))
    is_new[len(old) :, 0] = 1
    rng = np.random.default_rng(0)
    for column in range(1, DIVISIONS + 1):
        is_new[:, column] = rng.permutation(is_new[:, 0])
    own = np.diag(hat)[:, None]
    left_out = (hat @ is_new - own * is_new) / np.maximum(1 - own, 1e-9)
    aucs = _areas(left_out, is_new > 0)
    reached = np.count_nonzero(aucs >= aucs[0])  # counts itself
    return TwoSampleTest(float(aucs[0]), float(np.quantile(aucs[1:], 0.95)), float(reached) / (DIVISIONS + 1))


def _areas(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Area under the ROC curve of each column: scores and classes (N, K), by the rank sum; ties count half."""
    from scipy.stats import rankdata  # slow to import, and most services measure no drift

    ranks = rankdata(np.round(scores, 9), axis=0)
    count = positive.sum(axis=0)
    total = (ranks * positive).sum(axis=0) - count * (count + 1) / 2
    return np.asarray(total / (count * (len(scores) - count)))
