"""A model's answers in the order of its campaign's classes, which may have grown since the model was trained.

SCANEO maps labels to places in the answer, by the campaign as it is now.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.card import BACKGROUND


def in_campaign_order(probabilities: NDArray[np.float32], known: Sequence[str], wanted: Sequence[str]) -> list[float]:
    """Probabilities by the campaign's classes.

    Args:
        probabilities: Of the model's classes, shape (K,).
        known: The model's classes, in its order.
        wanted: The campaign's classes.

    Returns:
        One probability for each of `wanted`: 0.0 where the model does not know the class.
    """
    if list(known) == list(wanted):
        values: list[float] = probabilities.tolist()
        return values
    by_name = dict(zip(known, probabilities.tolist(), strict=True))
    return [by_name.get(name, 0.0) for name in wanted]


def codes_in_campaign_order(codes: NDArray[np.uint8], known: Sequence[str], wanted: Sequence[str]) -> NDArray[np.uint8]:
    """Codes by the campaign's classes.

    Args:
        codes: By the model's classes, shape (H, W): 0 = background, k = k-th class.
        known: The model's classes, in its order.
        wanted: The campaign's classes.

    Returns:
        Codes by `wanted`; `codes` itself where the order is the same. A class that is not wanted becomes background.
    """
    if list(wanted[: len(known)]) == list(known):
        return codes
    place = {name: code for code, name in enumerate(wanted, start=1)}
    table = np.array([BACKGROUND, *(place.get(name, BACKGROUND) for name in known)], np.uint8)
    mapped: NDArray[np.uint8] = table[codes]
    return mapped
