"""How good a light head is on the test reserve of a simulated pool."""

import numpy as np

from al_loop.simulation.fast.pool import SimulatedPool
from models.heads.linear_head import Head


def measure(pool: SimulatedPool, head: Head, metric: str) -> tuple[float, list[float | None]]:
    """Test metric and its parts, one a class.

    Args:
        pool: With a test reserve.
        head: The classifier.
        metric: "accuracy" (parts: recall) or "miou" over pixels, each cell answered by its likeliest class (parts:
            intersection over union).

    Returns:
        The metric, and the part of each of K classes, None where the reserve has none of it.
    """
    test = pool.known_cells_of(np.flatnonzero(pool.reserve))
    answered = head.probabilities(np.asarray(pool.embeddings[test], np.float32)).argmax(axis=1)
    truth = pool.targets[test] * pool.weights[test, None]  # (M, K): pixels, or samples, of each class
    classes = truth.shape[1]
    confusion = np.zeros((classes, classes))  # answered, true
    np.add.at(confusion, answered, truth)
    right, true, said = np.diagonal(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    if metric == "accuracy":
        parts = [None if not total else float(hit / total) for hit, total in zip(right, true, strict=True)]
        return float(right.sum() / true.sum()), parts
    union = true + said - right
    parts = [None if not all_ else float(hit / both) for hit, all_, both in zip(right, true, union, strict=True)]
    known = [part for part in parts if part is not None]
    return float(np.mean(known)), parts
