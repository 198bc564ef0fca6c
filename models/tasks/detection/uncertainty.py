"""How unsure an answer of boxes is: from its most uncertain boxes, class by class.

A box is a yes-or-no question: is an object of its class here? What the heat map holds besides its peaks is not looked
at. Scores of an image are gathered from its boxes as in Brust et al. 2018 (arXiv:1809.09875), but every class counts
alike: a hundred uncertain boxes of a common class must not hide one of a rare class.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.tasks.detection.boxes import ANSWERED_CLASS, SCORE
from models.tasks.uncertainty import SCORE_NAMES, ScoreName

BOXES = 3
"""Most uncertain boxes of a class whose mean counts: one alone may be noise."""

LEAST_ASKED = 0.02
"""Boxes below are background, and no question."""


def least_confidence(scores: Floats) -> Floats:
    """One minus the probability of the likelier answer."""
    return np.minimum(scores, 1 - scores)


def margin(scores: Floats) -> Floats:
    """One minus the lead of the likelier answer."""
    return 1 - np.abs(2 * scores - 1)


def entropy(scores: Floats) -> Floats:
    """Of the two answers, in nats."""
    inside = np.clip(scores, 1e-7, 1 - 1e-7)
    return np.asarray(-(inside * np.log(inside) + (1 - inside) * np.log(1 - inside)), np.float32)


_BY_NAME: dict[ScoreName, Callable[[Floats], Floats]] = {
    "least_confidence": least_confidence,
    "margin": margin,
    "entropy": entropy,
}


def box_scores(answers: Floats, classes: int) -> dict[ScoreName, Floats]:
    """Uncertainties of N images: of each class the mean over its most uncertain boxes, then the mean over the classes.

    Args:
        answers: Shape (N, m, 6).
        classes: K; a class without a likely box adds 0.

    Returns:
        Shape (N,) each, in [0, ln 2] for the entropy, [0, .5] for the least confidence and [0, 1] for the margin.
    """
    found: dict[ScoreName, Floats] = {}
    for name in SCORE_NAMES:
        values = _BY_NAME[name](answers[..., SCORE])
        by_class = [_hardest(np.where(_asked(answers, label), values, 0.0)) for label in range(classes)]
        found[name] = np.mean(by_class, axis=0).astype(np.float32)
    return found


def hardest_of_class(answers: Floats, classes: int) -> Floats:
    """Entropy (N, K) of the most uncertain box of each class in nats; NaN where a class has no likely box."""
    values = entropy(answers[..., SCORE])
    table = np.full((len(answers), classes), np.nan, np.float32)
    for label in range(classes):
        highest = np.where(_asked(answers, label), values, -1.0).max(axis=1, initial=-1.0)
        table[:, label] = np.where(highest >= 0, highest, np.nan)
    return table


def uncertainty_map(answer: Floats, height: int, width: int) -> Floats:
    """Entropy in nats of the most uncertain box over each pixel, falling to half of it at the box's edge.

    Args:
        answer: Boxes (m, 6) of one image, in its pixels.
        height: Rows.
        width: Columns.

    Returns:
        Shape (height, width), 0 where no box is likely.
    """
    values = np.zeros((height, width), np.float32)
    asked = answer[answer[:, SCORE] >= LEAST_ASKED]
    for (left, top, right, bottom), unsure in zip(asked[:, :4].tolist(), entropy(asked[:, SCORE]), strict=True):
        first, last = max(0, int(left)), min(width, int(np.ceil(right)))
        upper, lower = max(0, int(top)), min(height, int(np.ceil(bottom)))
        if first >= last or upper >= lower:
            continue
        across = _bump(np.arange(first, last) + 0.5, left, right)
        down = _bump(np.arange(upper, lower) + 0.5, top, bottom)
        part = values[upper:lower, first:last]
        np.maximum(part, unsure * down[:, None] * across, out=part)
    return values


def _bump(places: NDArray[np.floating], low: float, high: float) -> Floats:
    """1 in the middle of an interval and .7 at its ends."""
    return (0.7 ** ((2 * places - low - high) / max(high - low, 1e-6)) ** 2).astype(np.float32)


def _asked(answers: Floats, label: int) -> NDArray[np.bool_]:
    return np.asarray((answers[..., ANSWERED_CLASS] == label) & (answers[..., SCORE] >= LEAST_ASKED))


def _hardest(values: Floats) -> Floats:
    """Mean (N,) over the highest of each row, where fewer are there than `BOXES` of those."""
    ranked = -np.sort(-values, axis=1)[:, :BOXES]
    number = np.maximum((ranked > 0).sum(axis=1), 1)
    return np.asarray(ranked.sum(axis=1) / number, np.float32)
