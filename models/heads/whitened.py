"""A head on axes that are partly whitened, as far as cross-validation says that this helps.

Embeddings vary much along a few axes and little along most. A penalty on weights therefore keeps a head from using the
small ones, which is right with few labels and wrong with many. Dividing each principal axis by a power of its deviation
shifts that. The head that comes back is one on the embeddings as they were: a change of axes is linear.
"""

import dataclasses

import numpy as np

from models.arrays import Matrix, Rows
from models.heads.linear_head import Head, fit_head

POWERS = (0.0, 0.2)
"""Powers of an axis's deviation that are tried: 0 leaves the embeddings as they are, 1 would whiten them."""

LEAST_VARIANCE = 1e-3
"""Added to the variance of each axis, as a share of the largest: what varies less is mostly noise."""


def fit_whitened(
    embeddings: Matrix,
    targets: Matrix,
    reference: Matrix,
    *,
    seed: int,
    groups: Rows | None = None,
    multi_label: bool = False,
) -> Head:
    """Fit by `fit_head` for each of `POWERS`, and take the head with the least held-out log loss.

    Where labels are too few for cross-validation, axes stay as they are.

    Args:
        embeddings: As for `fit_head`, shape (n, D), as are the others.
        targets: Shape (n, K).
        reference: Embeddings, labelled or not, whose axes these are, shape (m, D).
        seed: Draws the same folds for each power.
        groups: Rows that are judged together.
        multi_label: Whether several classes may be present.

    Returns:
        A head on `embeddings`; its penalty is that of the changed axes.
    """
    mean = reference.mean(axis=0, dtype=np.float64)
    centred = reference - mean
    variance, axes = np.linalg.eigh(centred.T @ centred / len(reference))
    variance = np.maximum(variance, 0)
    heads = []
    for power in POWERS:
        change = (axes * _factors(variance, power)) @ axes.T
        head = fit_head(
            ((embeddings - mean) @ change).astype(np.float32),
            targets,
            rng=np.random.default_rng(seed),
            groups=groups,
            multi_label=multi_label,
        )
        weights = change @ head.weights[:-1]
        moved = np.concatenate([weights, head.weights[-1:] - mean @ weights])
        heads.append(dataclasses.replace(head, weights=moved.astype(np.float32)))
    return min(heads, key=_loss)


def _factors(variance: Matrix, power: float) -> Matrix:
    """What each axis is multiplied by; the mean square length stays."""
    total = variance.sum()
    if total == 0:
        return np.ones_like(variance)
    factors = (variance + LEAST_VARIANCE * variance.max()) ** (-power / 2)
    scaled: Matrix = factors / np.sqrt((factors**2 * variance).sum() / total)
    return scaled


def _loss(head: Head) -> float:
    return np.inf if head.held_out_loss is None else head.held_out_loss
