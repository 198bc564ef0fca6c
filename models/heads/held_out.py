"""Probabilities of labelled examples by classifiers that have not seen their labels: k-fold cross-validation."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.heads.linear_head import Head, Matrix, fit_head

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
    vouch for it. All others (the test reserve) are never fitted on; the classifier of all trainable ones judges them.

    Args:
        embeddings: Shape (n, D).
        targets: One-hot, shape (n, K).
        groups: Block of each example; where fewer than `FOLDS` hold trainable ones, each example stands alone.
        trainable: Which examples may be fitted on, shape (n,); at least two.
        fit: Fits a classifier.

    Returns:
        Shape (n, K).
    """
    result = np.empty(targets.shape, np.float32)
    if not trainable.all():
        result[~trainable] = fit(embeddings[trainable], targets[trainable])(embeddings[~trainable])
    rows = np.flatnonzero(trainable)
    folds = balanced_folds([groups[row] for row in rows.tolist()])
    for fold in range(int(folds.max()) + 1):
        kept, held = rows[folds != fold], rows[folds == fold]
        result[held] = fit(embeddings[kept], targets[kept])(embeddings[held])
    return result


def balanced_folds(groups: Sequence[str]) -> NDArray[np.int64]:
    """Fold of each of n examples, 0 to `FOLDS` - 1: groups stay whole, largest first into the emptiest fold.

    Equal for equal groups. With fewer than `FOLDS` groups, each example is a group of its own.
    """
    names, members, sizes = np.unique(np.asarray(groups, np.str_), return_inverse=True, return_counts=True)
    if len(names) < FOLDS:
        members, sizes = np.arange(len(groups)), np.ones(len(groups), np.int64)
    folds, filled = np.empty(len(sizes), np.int64), [0] * FOLDS
    order = np.random.default_rng(len(groups)).permutation(len(sizes))
    for group in order[np.argsort(-sizes[order], kind="stable")].tolist():
        emptiest = filled.index(min(filled))
        folds[group] = emptiest
        filled[emptiest] += int(sizes[group])
    return folds[members]


def head_fit(embeddings: Matrix, targets: Matrix) -> Fit:
    """A `Fit` of light heads (`al_loop.heads`) whose penalty and temperature are chosen once, on all of these.

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
