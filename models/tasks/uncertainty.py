"""Acquisition functions: probabilities of N samples -> one score a sample, higher = ask first.

Pure functions on arrays; they know nothing of samples, files or models. A map of probabilities (segmentation) is scored
by `models.tasks.region_means`, so that a few hard places count and an easy background does not drown them.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from models.arrays import Floats
from models.errors import AllNodataError
from models.tasks.region_means import RegionMeans

ScoreName = Literal["least_confidence", "margin", "entropy", "bald"]
SCORE_NAMES: tuple[ScoreName, ...] = ("least_confidence", "margin", "entropy")
"""What one model alone can tell; "bald" needs an ensemble (`models.heads.scores`)."""


def least_confidence(probabilities: Floats, *, multi_label: bool = False) -> Floats:
    """One minus the probability of the likeliest class (Lewis and Gale 1994, doi 10.1007/978-1-4471-2099-5_1).

    Args:
        probabilities: Shape (N, C), or (N, C, H, W) for a map; summing to 1 over C. NaN over all C marks nodata pixels,
            which are left out.
        multi_label: The C values are independent, each the probability that its class is present; the score is the
            mean over the C yes-or-no questions (see `entropy`).

    Returns:
        Shape (N,), in [0, 1 - 1/C]; in [0, 0.5] if `multi_label`.

    Raises:
        AllNodataError: A sample has no valid value; carries the row numbers.
    """
    return _score(probabilities, _least_confidence, multi_label)


def margin(probabilities: Floats, *, multi_label: bool = False) -> Floats:
    """One minus the lead of the likeliest class over the second (Scheffer et al. 2001, doi 10.1007/3-540-44816-0_31).

    Args:
        probabilities: As for `least_confidence`.
        multi_label: As for `least_confidence`.

    Returns:
        Shape (N,), in [0, 1].

    Raises:
        AllNodataError: A sample has no valid value; carries the row numbers.
    """
    return _score(probabilities, margin_of, multi_label)


def entropy(probabilities: Floats, *, multi_label: bool = False) -> Floats:
    """Predictive entropy in nats (Shannon 1948; for text and image pools Settles 2009, section 3.1).

    With `multi_label` it is the mean binary entropy of the classes. The mean and not the largest: C times the mean is
    the entropy of the whole answer when the classes are independent, and one habitually noisy class cannot rank the
    pool alone.

    Args:
        probabilities: As for `least_confidence`.
        multi_label: As for `least_confidence`.

    Returns:
        Shape (N,), in [0, ln C]; in [0, ln 2] if `multi_label`.

    Raises:
        AllNodataError: A sample has no valid value; carries the row numbers.
    """
    return _score(probabilities, _entropy, multi_label)


def pixel_scores(probabilities: Floats) -> dict[ScoreName, Floats]:
    """The three scores of every pixel.

    Args:
        probabilities: Shape (N, C, ...), summing to 1 over C; NaN over all C marks nodata.

    Returns:
        Shape (N, ...) each, NaN where the input is nodata.
    """
    return {name: function(probabilities) for name, function in _BY_NAME.items()}


def pixel_entropy(probabilities: Floats) -> Floats:
    """Predictive entropy of every pixel in nats, as in `entropy`; shapes as in `pixel_scores`."""
    return _entropy(probabilities)


def all_scores(probabilities: Floats, *, multi_label: bool = False) -> dict[ScoreName, Floats]:
    """The three scores of every sample, as the functions of the same names give them.

    Args:
        probabilities: As for `least_confidence`.
        multi_label: As for `least_confidence`.

    Returns:
        Shape (N,) each.

    Raises:
        AllNodataError: A sample has no valid value; carries the row numbers.
    """
    return {name: _score(probabilities, function, multi_label) for name, function in _BY_NAME.items()}


def _least_confidence(probabilities: Floats) -> Floats:
    return np.asarray(np.clip(1 - probabilities.max(axis=1), 0, 1))


def margin_of(probabilities: Floats) -> Floats:
    """`margin` of every pixel or row, shape (N, ...), of (N, C, ...)."""
    first, second = probabilities[:, 0], np.zeros_like(probabilities[:, 0])  # one class leads by all it has
    for rival in np.moveaxis(probabilities[:, 1:], 1, 0):  # four times as fast as np.partition on maps
        second = np.maximum(second, np.minimum(first, rival))
        first = np.maximum(first, rival)
    return np.asarray(np.clip(1 - (first - second), 0, 1))


def _entropy(probabilities: Floats) -> Floats:
    logs = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))  # p ln p -> 0 as p -> 0
    return np.asarray(np.maximum(-np.sum(probabilities * logs, axis=1), 0))


_BY_NAME: dict[ScoreName, Callable[[Floats], Floats]] = {
    "least_confidence": _least_confidence,
    "margin": margin_of,
    "entropy": _entropy,
}


def _score(probabilities: Floats, function: Callable[[Floats], Floats], multi_label: bool) -> Floats:
    if probabilities.ndim not in (2, 4):
        raise ValueError(f"probabilities must have shape (N, C) or (N, C, H, W), not {probabilities.shape}")
    probabilities = np.asarray(probabilities, np.float32)
    if multi_label:
        if probabilities.ndim != 2:
            raise ValueError(f"multi-label probabilities must have shape (N, C), not {probabilities.shape}")
        questions = np.stack([probabilities, 1 - probabilities], axis=1)  # (N, 2, C)
        scores = function(questions).mean(axis=1)  # (N, C) -> (N,)
    elif probabilities.ndim == 2:
        scores = function(probabilities)  # (N,)
    else:
        pixels = function(probabilities)  # (N, H, W)
        regions = RegionMeans(len(pixels), pixels.shape[1], pixels.shape[2])
        regions.add(pixels)
        scores = regions.most_uncertain()  # (N,)
    scores = np.asarray(scores, np.float32)
    missing = np.flatnonzero(np.isnan(scores))
    if missing.size:
        raise AllNodataError(missing.tolist())
    return scores
