"""A head whose classes weigh alike, however many rows each has: what mean IoU asks for."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Matrix, Rows
from models.heads.linear_head import Head, fit_head


def fit_balanced(
    embeddings: Matrix,
    codes: NDArray[np.integer],
    classes: int,
    *,
    rng: np.random.Generator,
    groups: Rows | None = None,
    like: Head | None = None,
) -> Head:
    """Fit by `fit_head` with rows weighted so that each class that occurs has the same weight.

    Its held-out accuracy is that of a class, mean over the classes, and its majority 1 / classes.

    Args:
        embeddings: Shape (n, D), of about unit length; n >= 1.
        codes: Class of each row, shape (n,), 0 to `classes` - 1.
        classes: K.
        rng: As for `fit_head`, as are the others.
        groups: Rows that are judged together.
        like: Whose penalty and temperature are taken over.
    """
    targets = np.eye(classes, dtype=np.float32)[codes]
    counts = targets.sum(axis=0)
    weights = np.zeros_like(counts)
    np.divide(len(codes), counts * np.count_nonzero(counts), where=counts > 0, out=weights)
    return fit_head(embeddings, targets * weights, rng=rng, groups=groups, like=like)
