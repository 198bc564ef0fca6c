"""BADGE: uncertain and diverse at once, in the space of gradients."""

from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.querying.strategies.bounds import CANDIDATES_PER_PICK, some
from al_loop.querying.strategies.fallback import NO_EMBEDDINGS, fall_back
from al_loop.querying.strategies.selection import Selection, size_of
from al_loop.scoring.pool_scores import Candidates
from models.arrays import Matrix

GRADIENT_CANDIDATES = 4096
"""Random samples among which gradients are compared."""

MOST_COVERED = 1024
"""Labelled or leased samples whose gradients are compared with them."""


class Badge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="badge"):
    """k-means++ seeds of gradient embeddings (BADGE; Ash et al. 2020, arXiv 1906.03671).

    g(x) = (p(x) - onehot(argmax p(x))) outer h(x), the gradient of the loss by the weights of a linear head if the
    likeliest class were right: long where the model is unsure, apart where samples differ. The first pick is the
    longest, the others are drawn in proportion to the squared distance to the nearest pick. What is labelled or leased
    (1024 of them at random) counts as picked before, which the paper, where one asks at a time, has no need of; then
    the first is drawn too. g (K D values) is never
    built: with a = p - onehot, |g - g'|^2 = |a|^2 |h|^2 + |a'|^2 |h'|^2 - 2 (a . a') (h . h').

    Needs embeddings and class probabilities; by coverage without the latter. Looks at 4096 random samples (two a pick
    in large queries), in memory 4096 x (K + D).
    """

    uses_scores: ClassVar[bool] = True

    def select(self, pool: Candidates, query_size: int, rng: np.random.Generator) -> Selection:
        """Draw one by one; utilities are squared distances of gradients, for the first pick its squared length."""
        size = size_of(pool, query_size)
        if pool.table is None:
            return fall_back(pool, size, rng, NO_EMBEDDINGS)
        if pool.probability_table is None:
            return fall_back(pool, size, rng, "no class probabilities yet")
        candidates = some(len(pool), max(GRADIENT_CANDIDATES, CANDIDATES_PER_PICK * size), rng)
        probabilities = pool.probabilities(candidates)  # (C, K)
        before = pool.covered_pairs(MOST_COVERED, rng)
        chosen, distances = gradient_seeds(probabilities, pool.embeddings(candidates), size, rng, before)
        likeliest = probabilities[chosen].max(axis=1)
        reasons = [f"unsure and unlike the others: likeliest class at {value:.2f}" for value in likeliest]
        return Selection(indices=candidates[chosen], utilities=distances, reasons=reasons)


def gradient_seeds(
    probabilities: Matrix,
    embeddings: Matrix,
    size: int,
    rng: np.random.Generator,
    before: tuple[Matrix, Matrix] | None = None,
) -> tuple[NDArray[np.int64], Matrix]:
    """k-means++ of gradient embeddings without building them.

    Args:
        probabilities: Shape (C, K).
        embeddings: h, shape (C, D).
        size: Picks, at most C.
        rng: Draws; what is left when no gradient differs from a chosen one is taken at random.
        before: Probabilities (M, K) and embeddings (M, D) of what was picked before; None: nothing.

    Returns:
        Row numbers in the order of choice, shape (size,), and the squared distance of each to the nearest pick before
        it (the very first: squared length). Equally long first picks are resolved by row order: shuffle the rows.
    """
    residuals = _residuals(probabilities)
    lengths = np.square(residuals).sum(axis=1) * np.square(embeddings).sum(axis=1)  # (C,)
    nearest = np.full(len(lengths), np.inf, np.float32)
    if before is not None and len(before[0]):
        others = _residuals(before[0])
        reach = np.square(others).sum(axis=1) * np.square(before[1]).sum(axis=1)  # (M,)
        squared = lengths[:, None] + reach - 2 * (residuals @ others.T) * (embeddings @ before[1].T)  # (C, M)
        nearest = np.maximum(squared.min(axis=1), 0)
    first = bool(np.isinf(nearest).all())
    chosen: list[int] = []
    distances = np.zeros(size, np.float32)
    for step in range(size):
        total = nearest.sum(dtype=np.float64)
        if total <= 0:
            rest = rng.permutation(np.setdiff1d(np.arange(len(lengths)), chosen))
            return np.array(chosen + rest[: size - step].tolist()), distances
        longest = first and step == 0
        pick = int(lengths.argmax() if longest else rng.choice(len(nearest), p=nearest.astype(np.float64) / total))
        chosen.append(pick)
        distances[step] = lengths[pick] if longest else nearest[pick]
        alike = np.einsum("ck,k->c", residuals, residuals[pick])  # no BLAS: its threads wait on a busy machine
        products = alike * np.einsum("cd,d->c", embeddings, embeddings[pick])
        np.minimum(nearest, np.maximum(lengths + lengths[pick] - 2 * products, 0), out=nearest)
        nearest[chosen] = 0
    return np.array(chosen), distances


def _residuals(probabilities: Matrix) -> Matrix:
    """P - onehot(argmax p), shape as given."""
    residuals = probabilities.copy()
    residuals[np.arange(len(residuals)), probabilities.argmax(axis=1)] -= 1
    return residuals
