"""How good a light head is on the test reserve of a simulated pool."""

import numpy as np

from al_loop.simulation.fast.pool import SimulatedPool
from models.heads.kernel_head import KernelHead
from models.heads.linear_head import Head


def measure(pool: SimulatedPool, head: Head | KernelHead) -> tuple[float, list[float | None]]:
    """Accuracy on the test reserve, and the recall of each of K classes, None where the reserve has none of it."""
    test = np.flatnonzero(pool.reserve)
    answered = head.probabilities(np.asarray(pool.embeddings[test], np.float32)).argmax(axis=1)
    truth = pool.targets[test]  # (n, K)
    right = truth[np.arange(len(test)), answered]
    hits, counts = (right[:, None] * truth).sum(axis=0), truth.sum(axis=0)
    parts = [float(hit / count) if count else None for hit, count in zip(hits, counts, strict=True)]
    return float(right.mean()), parts
