"""Probabilities of labelled examples by classifiers that have not seen their labels: k-fold cross-validation."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.arrays import Matrix
from models.heads.linear_head import Head, fit_head

FOLDS = 5
MAX_FITTED = 4000
"""Labels that one head is fitted on at most, at random: more change it little and cost seconds."""

Predictor = Callable[[Matrix], Matrix]
"""Embeddings (m, D) to class probabilities (m, K)."""
Fit = Callable[[Matrix, Matrix], Predictor]
"""Embeddings (n, D) and targets (n, K), rows summing to 1, to a predictor."""


def held_out_probabilities(
    embeddings: Matrix, targets: Matrix, groups: Sequence[str], trainable: NDArray[np.bool_], fit: Fit
) -> Matrix:
    """Class probabilities of each example by a classifier that was fitted without it and without its neighbours.

    Trainable examples are cut into folds by group, since a mistake is often repeated on near-duplicates, which would
    vouch for it, and with about the same share of each class in every fold. All others (the test reserve) are never
    fitted on; the classifier of all trainable ones judges them.

    Args:
        embeddings: Shape (n, D).
        targets: One-hot, shape (n, K).
        groups: Block of each example; where fewer than `FOLDS` hold trainable ones, each example stands alone.
        trainable: Which examples may be fitted on, shape (n,); at least `FOLDS` of each class.
        fit: Fits a classifier.

    Returns:
        Shape (n, K).
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold  # here: the import takes a second

    result = np.empty(targets.shape, np.float32)
    if not trainable.all():
        result[~trainable] = fit(embeddings[trainable], targets[trainable])(embeddings[~trainable])
    rows = np.flatnonzero(trainable)
    blocks = np.unique([groups[row] for row in rows.tolist()], return_inverse=True)[1]
    grouped = blocks.max() + 1 >= FOLDS
    splitter = (StratifiedGroupKFold if grouped else StratifiedKFold)(FOLDS, shuffle=True, random_state=len(rows))
    for kept, held in splitter.split(rows, targets[rows].argmax(axis=1), blocks if grouped else None):
        result[rows[held]] = fit(embeddings[rows[kept]], targets[rows[kept]])(embeddings[rows[held]])
    return result


def head_fit(embeddings: Matrix, targets: Matrix) -> Fit:
    """A `Fit` of `models.heads.linear_head` whose penalty and temperature are chosen once, on all of these.

    Args:
        embeddings: Shape (n, D), of about unit length.
        targets: Shape (n, K).
    """
    chosen = _fitted(embeddings, targets, None)

    def fit(some: Matrix, answers: Matrix) -> Predictor:
        return _fitted(some, answers, chosen).probabilities

    return fit


def _fitted(embeddings: Matrix, targets: Matrix, like: Head | None) -> Head:
    rng = np.random.default_rng(len(embeddings))
    rows = np.sort(rng.permutation(len(embeddings))[:MAX_FITTED])
    return fit_head(embeddings[rows], targets[rows], rng=rng, like=like)
