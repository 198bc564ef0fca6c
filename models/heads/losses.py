"""What the logits of a head mean: one class of K (softmax), or K independent yes-or-no questions (sigmoid).

Arrays in, arrays out. All sums that become gradients are of float32 values; losses are added up in float64.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

Matrix = NDArray[np.float32]


class Loss(Protocol):
    """Probabilities, log loss and correctness of logits (N, K) against targets (N, K) in [0, 1]."""

    def probabilities(self, logits: Matrix) -> Matrix:
        """Shape (N, K), in [0, 1]."""
        ...

    def mean(self, logits: Matrix, targets: Matrix) -> float:
        """Log loss of a row in nats, mean over the rows."""
        ...

    def with_gradient(self, logits: Matrix, targets: Matrix) -> tuple[float, Matrix]:
        """Log loss summed over the rows, and its gradient by the logits, shape (N, K); `logits` may be overwritten."""
        ...

    def right(self, logits: Matrix, targets: Matrix) -> float:
        """Share of the answers that are right."""
        ...

    def majority(self, targets: Matrix) -> float:
        """Share that the best constant answer gets right."""
        ...

    def is_learnable(self, targets: Matrix) -> bool:
        """Whether the targets hold two different answers, so that there is something to learn."""
        ...


class OneClass:
    """Multinomial: the K values are shares of one answer, targets sum to 1. Right is the likeliest class."""

    def probabilities(self, logits: Matrix) -> Matrix:
        """Softmax: rows sum to 1."""
        logits = logits - logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        return np.asarray(logits / logits.sum(axis=1, keepdims=True), np.float32)

    def mean(self, logits: Matrix, targets: Matrix) -> float:
        """Cross-entropy of a row, mean over the rows."""
        shifted = logits - logits.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return float(-(targets * logs).sum(axis=1).mean())

    def with_gradient(self, logits: Matrix, targets: Matrix) -> tuple[float, Matrix]:
        """Cross-entropy summed over the rows, and its gradient; overwrites `logits`."""
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        total = exponentials.sum(axis=1, keepdims=True)
        loss = float((targets * (np.log(total) - logits)).sum(dtype=np.float64))
        return loss, exponentials / total - targets

    def right(self, logits: Matrix, targets: Matrix) -> float:
        """Mean share of the likeliest class in the targets."""
        return float(targets[np.arange(len(targets)), logits.argmax(axis=1)].mean())

    def majority(self, targets: Matrix) -> float:
        """Share of the commonest class."""
        return float(targets.mean(axis=0).max())

    def is_learnable(self, targets: Matrix) -> bool:
        """Whether two classes have a share."""
        return bool(np.count_nonzero(targets.sum(axis=0)) >= 2)


class ManyClasses:
    """Independent classes, binary cross-entropy: target k is 1 where class k is present; all 0 means none is.

    "Present" is a logit above 0. A class that is always present, or never, adds as much to what is right as to the
    majority.
    """

    def probabilities(self, logits: Matrix) -> Matrix:
        """Sigmoid of each."""
        return np.asarray(expit(logits), np.float32)

    def mean(self, logits: Matrix, targets: Matrix) -> float:
        """Binary cross-entropies of a row added up, mean over the rows."""
        return self._sum(logits, targets) / len(logits)

    def with_gradient(self, logits: Matrix, targets: Matrix) -> tuple[float, Matrix]:
        """Binary cross-entropies summed over rows and classes, and their gradient."""
        return self._sum(logits, targets), self.probabilities(logits) - targets

    def right(self, logits: Matrix, targets: Matrix) -> float:
        """Share of right yes-or-no answers."""
        return float(((logits > 0) == (targets > 0.5)).mean())

    def majority(self, targets: Matrix) -> float:
        """Mean over the classes of the commoner of "present" and "absent"."""
        present = targets.mean(axis=0)
        return float(np.maximum(present, 1 - present).mean())

    def is_learnable(self, targets: Matrix) -> bool:
        """Whether a class is present in some rows and absent in others."""
        present = targets.sum(axis=0)
        return bool(((present > 0) & (present < len(targets))).any())

    def _sum(self, logits: Matrix, targets: Matrix) -> float:
        return float((np.logaddexp(np.float32(0), logits) - targets * logits).sum(dtype=np.float64))


def separation(logits: Matrix, targets: Matrix) -> float | None:
    """How far logits order samples with a class before those without it: 0 = not at all, 1 = always.

    2 AUC - 1 (Gini coefficient; AUC by ranks, Mann and Whitney 1947, doi 10.1214/aoms/1177730491), mean over the
    classes weighted by the rarer of their two answers, which bounds what can be known of them, cut to [0, 1].

    Args:
        logits: Shape (N, K).
        targets: 0 or 1, shape (N, K).

    Returns:
        None if no class is present in some samples and absent in others.
    """
    present = targets.sum(axis=0)
    absent = len(targets) - present
    known = (present > 0) & (absent > 0)
    if not known.any():
        return None
    ranks = rankdata(logits[:, known], axis=0)
    above = (ranks * targets[:, known]).sum(axis=0) - present[known] * (present[known] + 1) / 2
    gini = 2 * above / (present[known] * absent[known]) - 1
    return float(np.clip(np.average(gini, weights=np.minimum(present, absent)[known]), 0, 1))


def loss_of(*, multi_label: bool) -> Loss:
    """The loss of a task with one class a sample, or with independent classes."""
    return ManyClasses() if multi_label else OneClass()
