"""A head that answers by closeness to labelled examples: kernel ridge regression on yes or no of each class.

A least-squares classifier with a Gaussian kernel (Rifkin & Klautau 2004, jmlr.org/papers/v5/rifkin04a.html). It is
solved at once, without steps, and draws curved borders between classes where a linear head draws planes.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from models.arrays import Matrix, Rows
from models.heads.linear_head import FOLDS, TUNED_FROM, TUNED_ROWS, Head, best_temperature, one_thread
from models.heads.losses import accuracy, log_loss, majority_accuracy, probabilities

WIDTHS = (0.25, 0.5)
"""Closeness of two embeddings is exp(-width * squared distance); the width with the least held-out log loss is taken.
Embeddings have unit mean square length, so that two at random are about 0.6 and 0.4 close. A width of 1 was worse with
216 labels of EuroSAT."""

PENALTY = 1e-4
"""Weight of the squared norm for each row. A tenth or ten times as much changes little."""

SHARPNESS = 8.0
"""Logits are this many times the answers of the regression, which lie about between 0 and 1; a temperature of 1 is then
about right."""

BALANCE = 0.5
"""Logits are moved against the logarithm of a class's share of the labels by this much (logit adjustment, Menon et al.
2021, arXiv 2007.07314): the regression shrinks towards the shares, and names rare classes less often than is right."""

MOST_TIMES_RARER = 20.0
"""A class that is rarer, as against the commonest, is moved as if it were this: one label must not win everything that
lies far from all examples."""

MOST_ROWS = 4096
"""Rows that are examples at most, at random where there are more: solving takes the third power of it."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class KernelHead:
    """A fitted classifier of K classes on D values, of one class an image."""

    centres: Matrix
    """Embeddings of the examples, (m, D)."""
    weights: Matrix
    """Of each example in each class's logit, (m + 1, K), the intercepts last."""
    width: float
    """See `WIDTHS`."""
    temperature: float
    """Logits are divided by it."""
    held_out_accuracy: float
    """Share of the labels that heads fitted without them get right."""
    held_out_loss: float
    """Log loss of the labels by heads fitted without them, calibrated."""
    majority: float
    """Share of the commonest class among the labels."""
    linear: Head | None = None
    """The linear head that it was better than: what a network that is trained further starts from."""

    def probabilities(self, embeddings: Matrix) -> Matrix:
        """Class probabilities (N, K) of embeddings (N, D), calibrated."""
        logits = closeness(embeddings, self.centres, self.width) @ self.weights[:-1] + self.weights[-1]
        return probabilities(logits / np.float32(self.temperature), multi_label=False)


def fit_kernel_head(embeddings: Matrix, targets: Matrix, groups: Rows) -> KernelHead | None:
    """Fit, and judge by five folds of whole groups.

    Args:
        embeddings: Shape (n, D) float32, of about unit length, in random order.
        targets: One-hot, shape (n, K).
        groups: Rows of one number, shape (n,), are judged together: views of one image.

    Returns:
        None with fewer than `TUNED_FROM` rows or `FOLDS` groups, which nothing can be judged by.
    """
    embeddings, targets, groups = embeddings[:MOST_ROWS], targets[:MOST_ROWS], groups[:MOST_ROWS]
    if len(embeddings) < TUNED_FROM or len(np.unique(groups)) < FOLDS:
        return None
    judged = targets[:TUNED_ROWS]
    with one_thread():
        moved = _moved(targets)
        tried = []
        for width in WIDTHS:
            held_out = _held_out(embeddings[:TUNED_ROWS], judged, groups[:TUNED_ROWS], width)
            temperature = best_temperature(held_out, judged, multi_label=False)
            held_out += np.float32(temperature) * moved
            loss = log_loss(held_out / np.float32(temperature), judged, multi_label=False)
            tried.append((loss, width, temperature, accuracy(held_out, judged, multi_label=False)))
        loss, width, temperature, right = min(tried)
        weights, prior = _solved(closeness(embeddings, embeddings, width), targets)
        far = SHARPNESS * prior + temperature * moved
    return KernelHead(
        centres=embeddings,
        weights=np.concatenate([SHARPNESS * weights, far[None]]).astype(np.float32),
        width=width,
        temperature=temperature,
        held_out_accuracy=right,
        held_out_loss=loss,
        majority=majority_accuracy(targets, multi_label=False),
    )


def closeness(some: Matrix, others: Matrix, width: float) -> Matrix:
    """The kernel of embeddings (n, D) and (m, D), shape (n, m), 0 to 1."""
    squared = np.square(some).sum(axis=1)[:, None] + np.square(others).sum(axis=1) - 2 * some @ others.T
    return np.asarray(np.exp(-width * np.maximum(squared, 0)), np.float32)


def _moved(targets: Matrix) -> Matrix:
    """What is added to calibrated logits of each class, (K,): 0 for the commonest and for classes without a row."""
    shares = targets.mean(axis=0)
    times_rarer = np.divide(shares.max(), shares, out=np.ones_like(shares), where=shares > 0)
    return np.asarray(BALANCE * np.log(np.minimum(times_rarer, MOST_TIMES_RARER)), np.float32)


def _solved(kernel: Matrix, targets: Matrix) -> tuple[Matrix, Matrix]:
    """Weights (n, K) and shares of the classes (K,), which are answered far from all examples."""
    from scipy.linalg import solve  # here: a service that starts would wait for it

    prior = targets.mean(axis=0)
    return np.asarray(solve(_penalised(kernel), targets - prior, assume_a="pos")), prior


def _penalised(kernel: Matrix) -> NDArray[np.float64]:
    changed = kernel.astype(np.float64)
    changed[np.diag_indices(len(changed))] += PENALTY * len(changed)
    return changed


def _held_out(embeddings: Matrix, targets: Matrix, groups: Rows, width: float) -> Matrix:
    """Logits (n, K) of each row by a head that was fitted without its group."""
    kernel = closeness(embeddings, embeddings, width)
    names, numbers = np.unique(groups, return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(names))[numbers] % FOLDS
    logits = np.empty(targets.shape, np.float32)
    for number in range(FOLDS):
        kept, held = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        weights, prior = _solved(kernel[np.ix_(kept, kept)], targets[kept])
        logits[held] = SHARPNESS * (kernel[np.ix_(held, kept)] @ weights + prior)
    return logits
