"""What the logits of a head mean: one class of K (softmax), or K independent yes-or-no questions (sigmoid).

Arrays in, arrays out. `multi_label` says which of the two; targets (N, K) lie in [0, 1]: shares of one answer, rows
summing to 1, or 1 for each class that is present, where all 0 means that none is.
"""

import numpy as np
from scipy.special import expit, log_softmax, softmax

from models.arrays import Matrix


def probabilities(logits: Matrix, *, multi_label: bool) -> Matrix:
    """Softmax of the rows, or sigmoid of each value: shape (N, K), in [0, 1]."""
    return np.asarray(expit(logits) if multi_label else softmax(logits, axis=1), np.float32)


def log_loss(logits: Matrix, targets: Matrix, *, multi_label: bool) -> float:
    """Cross-entropy of a row in nats, mean over the rows; multi-label: that of its K questions added up."""
    if multi_label:
        return float((np.logaddexp(np.float32(0), logits) - targets * logits).sum(dtype=np.float64) / len(logits))
    return float(-(targets * log_softmax(logits, axis=1)).sum(axis=1).mean())


def accuracy(logits: Matrix, targets: Matrix, *, multi_label: bool) -> float:
    """Mean share of the likeliest class in the targets; multi-label: share of right answers, "present" above 0."""
    if multi_label:
        return float(((logits > 0) == (targets > 0.5)).mean())
    return float(targets[np.arange(len(targets)), logits.argmax(axis=1)].mean())


def majority_accuracy(targets: Matrix, *, multi_label: bool) -> float:
    """What the best constant answer reaches: share of the commonest class.

    Multi-label: mean over the classes of the commoner of "present" and "absent", so that a class that is always
    present, or never, adds as much to `accuracy` as to this.
    """
    present = targets.mean(axis=0)
    return float(np.maximum(present, 1 - present).mean() if multi_label else present.max())


def is_learnable(targets: Matrix, *, multi_label: bool) -> bool:
    """Whether two classes have a share; multi-label: whether a class is present in some rows and absent in others."""
    present = targets.sum(axis=0)
    if multi_label:
        return bool(((present > 0) & (present < len(targets))).any())
    return bool(np.count_nonzero(present) >= 2)


def separation(logits: Matrix, targets: Matrix) -> float | None:
    """How far logits order samples with a class before those without it: 0 = not at all, 1 = always.

    2 AUC - 1 (Gini coefficient), mean over the classes weighted by the rarer of their two answers, which bounds what
    can be known of them, cut to [0, 1].

    Args:
        logits: Shape (N, K).
        targets: 0 or 1, shape (N, K).

    Returns:
        None if no class is present in some samples and absent in others.
    """
    from sklearn.metrics import roc_auc_score  # here: importing scikit-learn takes over a second

    present = targets.sum(axis=0)
    rarer = np.minimum(present, len(targets) - present)
    known = np.flatnonzero(rarer > 0)
    if not len(known):
        return None
    gini = [2 * roc_auc_score(targets[:, column], logits[:, column]) - 1 for column in known]
    return float(np.clip(np.average(gini, weights=rarer[known]), 0, 1))
