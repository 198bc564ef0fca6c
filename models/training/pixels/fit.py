"""The head of a task about pixels: its classes weigh alike in the fit, its intercepts know how common each is.

A fit that weighs classes alike learns a rare class from few labels, and answers too much of it.
"""

import dataclasses

import numpy as np

from models.heads.balanced import fit_balanced
from models.heads.linear_head import Head
from models.tasks import Task
from models.training.pixels.examples import PixelExamples

MOST_ROWS = 20_000
"""Rows of a fit, at random where there are more; takes seconds."""

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of how far intercepts are moved: 0 leaves the classes alike, 1 is what the least wrong pixels ask for."""

LEAST_GAIN = 0.02
"""In the metric, from which intercepts are moved: shares differ from place to place, and small gains do not travel."""

FOLDS = 5
"""By sample; with fewer samples intercepts stay as they are."""

JUDGED_ROWS = 5_000
"""Rows that judge, at random where there are more; takes a second."""


def fit_pixel_head(task: Task, examples: PixelExamples) -> Head:
    """A head whose penalty, temperature and intercepts are chosen by cross-validation over samples.

    Args:
        task: Answers pixels.
        examples: At least one.
    """
    rng = np.random.default_rng(0)
    some = examples.only(rng.permutation(len(examples.codes))[:MOST_ROWS])
    head = fit_balanced(some.features, some.codes, task.outputs, rng=rng, groups=some.groups)
    return adjusted(task, head, some)


def adjusted(task: Task, head: Head, examples: PixelExamples) -> Head:
    """The head with the logarithm of each class's share of the pixels added to its logits, as far as that helps.

    How far, one of `STRENGTHS`, is what gives the best metric on held-out samples, each row counted as often as the
    pixels that it stands for (logit adjustment, Menon et al. 2021, arXiv:2007.07314).

    Args:
        task: Answers pixels.
        head: Fitted on the examples by `fit_balanced`.
        examples: Only those of windows whose shares are known say something.

    Returns:
        The head, its intercepts moved; the same where that gains less than `LEAST_GAIN`, and where fewer than `FOLDS`
        samples say something.
    """
    known = examples.only(np.flatnonzero(examples.stand_for))
    names, numbers = np.unique(known.groups, return_inverse=True)
    if len(names) < FOLDS:
        return head
    rng = np.random.default_rng(0)
    totals = np.bincount(known.codes, known.stand_for, minlength=task.outputs)
    totals[totals == 0] = totals[totals > 0].min()  # what no full mask shows counts as the rarest
    moves = np.log(totals / totals.sum())
    picked = rng.permutation(len(numbers))[:JUDGED_ROWS]
    judged, folds = known.only(picked), (rng.permutation(len(names)) % FOLDS)[numbers[picked]]
    logits = np.zeros((len(picked), task.outputs))
    for fold in np.unique(folds).tolist():
        rest = judged.only(np.flatnonzero(folds != fold))
        other = fit_balanced(rest.features, rest.codes, task.outputs, rng=rng, like=head)
        features = judged.features[folds == fold]
        logits[folds == fold] = (features @ other.weights[:-1] + other.weights[-1]) / other.temperature
    values = []
    for strength in STRENGTHS:
        table = np.zeros((task.outputs, task.outputs))
        np.add.at(table, (judged.codes, (logits + strength * moves).argmax(axis=1)), judged.stand_for)
        values.append(float(np.nan_to_num(task.metric.value(table))))
    if max(values) < values[0] + LEAST_GAIN:
        return head
    weights = head.weights.copy()
    weights[-1] += (STRENGTHS[int(np.argmax(values))] * head.temperature * moves).astype(np.float32)
    return dataclasses.replace(head, weights=weights)
