"""Light heads: logistic regression on cached embeddings, refitted whenever labels came in.

Multinomial where a sample has one class, independent for each class where it may have several (`al_loop.head_losses`).

Arrays in, arrays out: knows nothing of the store, of samples or of models. A head is what turns a label into a better
ranking within seconds; the network is retrained far less often.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from models.heads.losses import Loss, ManyClasses, loss_of, separation

Matrix = NDArray[np.float32]

PENALTIES = (1e-2, 1e-3, 1e-4, 1e-5)
"""Weights of the squared norm that cross-validation tries until the loss rises; embeddings have unit mean square
length."""

FOLDS = 5
TUNED_FROM = 20
"""Labels from which penalty and temperature are chosen by cross-validation; below, `DEFAULT_PENALTY` and 1."""

DEFAULT_PENALTY = 1e-3
TUNED_ROWS = 1500
"""Cross-validation looks at so many rows at most, at random."""

MAX_ITERATIONS = 120
TUNING_ITERATIONS = 40
"""Of each fold; the next penalty goes on from its weights."""

RELATIVE_DECREASE = 1e-7
"""Of the loss in one iteration, at which a fit ends."""

ENSEMBLE = 5
"""Bootstrap heads whose disagreement is BALD."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Head:
    """A fitted classifier of K classes on D values."""

    weights: Matrix
    """Shape (D + 1, K), the intercepts last."""
    penalty: float = DEFAULT_PENALTY
    temperature: float = 1.0
    """Logits are divided by it (Guo et al. 2017, arXiv 1706.04599)."""
    held_out_accuracy: float | None = None
    """Share of the labels that heads fitted without them get right; None with too few labels. Multi-label: of the
    yes-or-no answers, mean over the classes."""
    majority: float = 0.0
    """Share of the commonest class among the labels: what guessing reaches. Multi-label: mean over the classes of the
    commoner of "present" and "absent"."""
    multi_label: bool = False
    """Whether the K classes are independent: any number of them may be present, also none."""
    separation: float | None = None
    """Multi-label: how far held-out logits order present before absent (`head_losses.separation`)."""

    @property
    def trust(self) -> float | None:
        """How far the embeddings tell the classes apart: 0 = no better than guessing, 1 = always right.

        (held-out accuracy - majority) / (1 - majority), cut to [0, 1]. Multi-label: `separation`, since "absent" is
        right so often where classes are rare that accuracy says nothing.
        """
        if self.multi_label:
            return self.separation
        if self.held_out_accuracy is None or self.majority >= 1:
            return None
        return float(np.clip((self.held_out_accuracy - self.majority) / (1 - self.majority), 0, 1))

    def probabilities(self, embeddings: Matrix) -> Matrix:
        """Class probabilities (N, K) of embeddings (N, D), calibrated: rows sum to 1 unless `multi_label`."""
        logits = (embeddings @ self.weights[:-1] + self.weights[-1]) / np.float32(self.temperature)
        return loss_of(multi_label=self.multi_label).probabilities(logits)


class _Tuned(NamedTuple):
    """What cross-validation says; fields of `Head`."""

    penalty: float = DEFAULT_PENALTY
    temperature: float = 1.0
    held_out_accuracy: float | None = None
    separation: float | None = None


def fit_head(
    embeddings: Matrix,
    targets: Matrix,
    *,
    rng: np.random.Generator,
    start: Matrix | None = None,
    like: Head | None = None,
    multi_label: bool = False,
) -> Head:
    """Fit by L-BFGS; the penalty and a temperature come from 5-fold cross-validation where there are labels enough.

    Args:
        embeddings: Of the labelled samples, shape (n, D) float32, of about unit length (`al_loop.embedding_space`);
            n >= 1.
        targets: Shares of each class, shape (n, K), rows summing to 1: one-hot for a class, fractions for a region.
            With `multi_label` 1 for each class that is present, 0 for each other; all 0 is a valid answer.
        rng: Draws the folds.
        start: Weights (D + 1, K) to start from, of an earlier head; None: zeros.
        like: A head whose penalty, temperature and held-out accuracy are taken over instead of cross-validating anew.
        multi_label: Fit K independent binary regressions, K >= 1: the sum of their cross-entropies, one penalty and one
            temperature for all. At one penalty the weights of a class are those of a fit on this class alone.

    Raises:
        ValueError: Shapes that do not fit, or values that are not finite.
    """
    if len(embeddings) != len(targets) or len(embeddings) == 0:
        raise ValueError(f"{len(embeddings)} embeddings and {len(targets)} targets; at least one of each is needed")
    if not (np.isfinite(embeddings).all() and np.isfinite(targets).all()):
        raise ValueError("embeddings and targets must be finite")
    loss = loss_of(multi_label=multi_label)
    tuned = _Tuned()
    if like is not None:
        tuned = _Tuned(like.penalty, like.temperature, like.held_out_accuracy, like.separation)
    elif len(embeddings) >= TUNED_FROM:
        rows = rng.permutation(len(embeddings))[:TUNED_ROWS]
        tuned = _cross_validate(embeddings[rows], targets[rows], PENALTIES, loss)
    weights = _fit(embeddings, targets, tuned.penalty, start, loss)
    return Head(
        weights=weights, **tuned._asdict(), majority=loss.majority(targets), multi_label=multi_label,
    )  # fmt: skip


def fit_ensemble(
    embeddings: Matrix, targets: Matrix, head: Head, rng: np.random.Generator, size: int = ENSEMBLE
) -> list[Head]:
    """`size` heads on bootstrap samples of the labels, started from `head`: their disagreement is what BALD measures.

    Bagging (Breiman 1996, doi 10.1007/BF00058655) stands in for Monte Carlo dropout, which a linear head has not.
    """
    heads, loss = [], loss_of(multi_label=head.multi_label)
    for _ in range(size):
        rows = rng.integers(0, len(embeddings), len(embeddings))
        weights = _fit(embeddings[rows], targets[rows], head.penalty, head.weights, loss)
        heads.append(dataclasses.replace(head, weights=weights, held_out_accuracy=None, majority=0.0))
    return heads


def _cross_validate(embeddings: Matrix, targets: Matrix, penalties: Sequence[float], loss: Loss) -> _Tuned:
    """Penalty with the least held-out log loss, the temperature that mends it, and how good held-out answers are."""
    folds = np.arange(len(embeddings)) % FOLDS
    starts: list[Matrix | None] = [None] * FOLDS
    best = penalties[0], np.inf, targets
    for penalty in penalties:
        logits = np.empty(targets.shape, np.float32)
        for fold in range(FOLDS):
            held = folds == fold
            weights = _fit(embeddings[~held], targets[~held], penalty, starts[fold], loss, TUNING_ITERATIONS)
            logits[held] = embeddings[held] @ weights[:-1] + weights[-1]
            starts[fold] = weights
        value = loss.mean(logits / np.float32(_temperature(logits, targets, loss)), targets)
        if value >= best[1]:
            break
        best = penalty, value, logits
    penalty, _, logits = best
    apart = separation(logits, targets) if isinstance(loss, ManyClasses) else None
    return _Tuned(penalty, _temperature(logits, targets, loss), loss.right(logits, targets), apart)


def _temperature(logits: Matrix, targets: Matrix, loss: Loss) -> float:
    """Temperature between 1/4 and 4 with the least log loss, on a grid of steps of 9 %."""
    grid = np.geomspace(0.25, 4.0, 33)
    losses = [loss.mean(logits / np.float32(temperature), targets) for temperature in grid]
    return float(grid[int(np.argmin(losses))])


def _fit(
    embeddings: Matrix,
    targets: Matrix,
    penalty: float,
    start: Matrix | None,
    loss: Loss,
    iterations: int = MAX_ITERATIONS,
) -> Matrix:
    shape = embeddings.shape[1] + 1, targets.shape[1]
    inputs = np.column_stack([embeddings, np.ones(len(embeddings), np.float32)])

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(shape).astype(np.float32)
        total, by_logits = loss.with_gradient(inputs @ weights, targets)
        gradient = (inputs.T @ by_logits).astype(np.float64) / len(inputs)
        body = flat.reshape(shape)[:-1]
        gradient[:-1] += penalty * body
        return total / len(inputs) + penalty / 2 * float(np.square(body).sum()), gradient.ravel()

    first = np.zeros(shape) if start is None else start.astype(np.float64)
    options = {"maxiter": iterations, "ftol": RELATIVE_DECREASE}
    found = minimize(objective, first.ravel(), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x.reshape(shape), np.float32)
