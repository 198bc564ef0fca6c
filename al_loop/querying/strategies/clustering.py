"""k-means on a bounded number of points: pseudo-classes of a pool without labels."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Matrix


def k_means(points: Matrix, clusters: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Assign points to clusters by scikit-learn's KMeans: greedy k-means++ seeds, then Lloyd's algorithm to its end.

    Args:
        points: Shape (N, D), finite, N >= 1.
        clusters: Clusters wanted, at least 1; there are fewer when fewer points differ.
        rng: Seeds it.

    Returns:
        Cluster of each point, shape (N,), from 0.
    """
    from sklearn.cluster import KMeans  # here: importing scikit-learn takes a second or more

    distinct = len(np.unique(points, axis=0))
    model = KMeans(min(clusters, distinct), n_init=1, random_state=int(rng.integers(2**31)))
    return np.asarray(model.fit_predict(points), np.int64)
