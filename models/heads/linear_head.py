"""Light heads: logistic regression on cached embeddings, refitted whenever labels came in.

Multinomial where a sample has one class, independent for each class where it may have several (`models.heads.losses`).

Arrays in, arrays out: knows nothing of the store, of samples or of models. A head is what turns a label into a better
ranking within seconds; the network is retrained far less often.
"""

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from models.arrays import Matrix, Rows
from models.heads.losses import accuracy, log_loss, majority_accuracy, probabilities, separation

PENALTIES = (1e-2, 1e-3, 1e-4, 1e-5)
"""Weights of the squared norm that cross-validation tries until the loss rises; embeddings have unit mean square
length."""

FOLDS = 5
TUNED_FROM = 20
"""Labels from which penalty and temperature are chosen by cross-validation; below, `DEFAULT_PENALTY` and 1."""

DEFAULT_PENALTY = 1e-3
TUNED_ROWS = 1500
"""Cross-validation uses at most this many rows, drawn at random."""

MAX_ITERATIONS = 1000
TOLERANCE = 1e-4
"""Largest slope of the objective at which a fit ends (scikit-learn's default)."""

ABSENT_WEIGHT = 0.01
"""Weight of the one row, at the centre of the embeddings, that stands for a class without a label: scikit-learn answers
with classes that it has seen only."""

TEMPERATURES = (0.25, 4.0)
"""Limits of the temperature."""

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
    held_out_loss: float | None = None
    """Log loss of the labels by heads fitted without them, calibrated; None with too few labels."""

    @property
    def skill(self) -> float | None:
        """Skill on held-out labels: 0 = no better than guessing, 1 = always right.

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
        return probabilities(logits, multi_label=self.multi_label)


class _Tuned(NamedTuple):
    """What cross-validation says; fields of `Head`."""

    penalty: float = DEFAULT_PENALTY
    temperature: float = 1.0
    held_out_accuracy: float | None = None
    separation: float | None = None
    held_out_loss: float | None = None


def fit_head(
    embeddings: Matrix,
    targets: Matrix,
    *,
    rng: np.random.Generator,
    start: Matrix | None = None,
    like: Head | None = None,
    multi_label: bool = False,
    groups: Rows | None = None,
) -> Head:
    """Fit by scikit-learn; penalty and temperature come from 5-fold cross-validation where there are labels enough.

    Args:
        embeddings: Of the labelled samples, shape (n, D) float32, of about unit length
            (`models.scoring.embedding_space`);
            n >= 1.
        targets: Shares of each class, shape (n, K), rows summing to 1: one-hot for a class, fractions for a region;
            or to the weight of the row, mean 1, which then counts in accuracy and majority, too.
            With `multi_label` 1 for each class that is present, 0 for each other; all 0 is a valid answer.
        rng: Draws the folds.
        start: Weights (D + 1, K) to start from, of an earlier head; None: zeros.
        like: A head whose penalty, temperature and held-out accuracy are taken over instead of cross-validating again.
        multi_label: Fit K independent binary regressions, K >= 1: the sum of their cross-entropies, one penalty and one
            temperature for all. At one penalty the weights of a class are those of a fit on this class alone.
        groups: Rows of one number, shape (n,), are judged together in cross-validation, as pixels of one image are
            alike; None: each row stands alone.

    Raises:
        ValueError: Shapes that do not fit, or values that are not finite.
    """
    if len(embeddings) != len(targets) or len(embeddings) == 0:
        raise ValueError(f"{len(embeddings)} embeddings and {len(targets)} targets; at least one of each is needed")
    if not (np.isfinite(embeddings).all() and np.isfinite(targets).all()):
        raise ValueError("embeddings and targets must be finite")
    tuned = _Tuned()
    with one_thread():
        if like is not None:
            tuned = _Tuned(like.penalty, like.temperature, like.held_out_accuracy, like.separation, like.held_out_loss)
        elif len(embeddings) >= TUNED_FROM:
            rows = rng.permutation(len(embeddings))[:TUNED_ROWS]
            numbers = None if groups is None else _shuffled(groups, rng)[rows]
            tuned = _cross_validate(embeddings[rows], targets[rows], numbers, multi_label=multi_label)
        weights = _fit(embeddings, targets, tuned.penalty, start, multi_label=multi_label)
    return Head(
        weights=weights,
        **tuned._asdict(),
        majority=majority_accuracy(targets, multi_label=multi_label),
        multi_label=multi_label,
    )


def fit_ensemble(
    embeddings: Matrix, targets: Matrix, head: Head, rng: np.random.Generator, size: int = ENSEMBLE
) -> list[Head]:
    """`size` heads on bootstrap samples of the labels, started from `head`: their disagreement is what BALD measures.

    Bagging (Breiman 1996, doi 10.1007/BF00058655) stands in for Monte Carlo dropout, which a linear head has not.
    """
    heads = []
    for _ in range(size):
        rows = rng.integers(0, len(embeddings), len(embeddings))
        with one_thread():
            weights = _fit(embeddings[rows], targets[rows], head.penalty, head.weights, multi_label=head.multi_label)
        heads.append(dataclasses.replace(head, weights=weights, held_out_accuracy=None, majority=0.0))
    return heads


def _shuffled(groups: Rows, rng: np.random.Generator) -> Rows:
    """The groups numbered in random order."""
    names, numbers = np.unique(groups, return_inverse=True)
    return np.asarray(rng.permutation(len(names))[numbers])


_FITTING = threading.Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let linear algebra use one thread, one fit at a time.

    A fit multiplies small matrices some thousand times, and threads that meet after each cost more than they gain:
    cross-validation on 1,500 rows of 256 values takes 0.4 s of one core; with two threads on two busy cores it took
    11 s of them and 40 s by the clock. The lock, since the number is the process's: fits side by side would restore
    each other's.
    """
    from threadpoolctl import threadpool_limits

    with _FITTING, threadpool_limits(1):
        yield


def _cross_validate(embeddings: Matrix, targets: Matrix, groups: Rows | None, *, multi_label: bool) -> _Tuned:
    """Penalty with the least held-out log loss, the temperature that mends it, and how good held-out answers are.

    Rows come in random order. Groups are numbered at random; where there are fewer than folds, they are cut.
    """
    from sklearn.model_selection import GroupKFold, KFold  # here, as below: importing scikit-learn takes a second

    whole = groups is not None and len(np.unique(groups)) >= FOLDS
    splits = GroupKFold(FOLDS).split(embeddings, groups=groups) if whole else KFold(FOLDS).split(embeddings)
    folds = list(splits)
    starts: list[Matrix | None] = [None] * FOLDS
    tried: list[tuple[float, _Tuned]] = []
    for penalty in PENALTIES:
        logits = np.empty(targets.shape, np.float32)
        for number, (kept, held) in enumerate(folds):
            weights = _fit(embeddings[kept], targets[kept], penalty, starts[number], multi_label=multi_label)
            logits[held] = embeddings[held] @ weights[:-1] + weights[-1]
            starts[number] = weights
        temperature = best_temperature(logits, targets, multi_label=multi_label)
        loss = log_loss(logits / np.float32(temperature), targets, multi_label=multi_label)
        if tried and loss >= tried[-1][0]:
            break
        right = accuracy(logits, targets, multi_label=multi_label)
        apart = separation(logits, targets) if multi_label else None
        tried.append((loss, _Tuned(penalty, temperature, right, apart, loss)))
    return tried[-1][1]


def best_temperature(logits: Matrix, targets: Matrix, *, multi_label: bool) -> float:
    """Temperature with the least log loss."""
    from scipy.optimize import minimize_scalar  # here: a service that starts would wait for it

    found = minimize_scalar(
        lambda power: log_loss(logits / np.float32(np.exp(power)), targets, multi_label=multi_label),
        bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 0.02},
    )  # fmt: skip
    return float(np.exp(found.x))


def _fit(embeddings: Matrix, targets: Matrix, penalty: float, start: Matrix | None, *, multi_label: bool) -> Matrix:
    """Weights (D + 1, K) that minimise mean log loss + penalty / 2 * squared norm without intercepts."""
    if multi_label:
        answers = [np.column_stack([1 - present, present]) for present in targets.T]  # (n, 2) for each class
        starts = [None] * len(answers) if start is None else np.split(start, len(answers), axis=1)
        return np.column_stack(
            [_logistic(embeddings, answer, penalty, first) for answer, first in zip(answers, starts, strict=True)]
        )
    if targets.shape[1] == 1:
        return np.zeros((embeddings.shape[1] + 1, 1), np.float32)
    if targets.shape[1] > 2:
        return _logistic(embeddings, targets, penalty, start)
    # Of two classes scikit-learn fits the difference w of their weights, -w / 2 and w / 2: half the squared norm of w.
    half = _logistic(embeddings, targets, penalty / 2, None if start is None else start[:, [1]] - start[:, [0]]) / 2
    return np.column_stack([-half, half])


def _logistic(embeddings: Matrix, targets: Matrix, penalty: float, start: Matrix | None) -> Matrix:
    """scikit-learn's weights: (D + 1, K), or (D + 1, 1) of the second class of two; fractions are weighted rows."""
    from sklearn.linear_model import LogisticRegression

    rows, classes = np.nonzero(targets)
    absent = np.flatnonzero(~targets.any(axis=0))
    inputs = np.concatenate([embeddings[rows], np.zeros((len(absent), embeddings.shape[1]), np.float32)])
    weights = np.concatenate([targets[rows, classes], np.full(len(absent), ABSENT_WEIGHT, np.float32)])
    model = LogisticRegression(
        C=1 / (penalty * float(weights.sum())), tol=TOLERANCE, max_iter=MAX_ITERATIONS, warm_start=start is not None
    )
    if start is not None:
        model.coef_, model.intercept_ = start[:-1].T, start[-1]
    model.fit(inputs, np.concatenate([classes, absent]), sample_weight=weights)
    return np.asarray(np.concatenate([model.coef_.T, model.intercept_[None]]), np.float32)
