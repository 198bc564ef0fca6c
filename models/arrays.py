"""Names of the arrays that many modules hand on, and where some ids stand among others."""

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
"""Ids of samples or numbers of regions, shape (N,)."""

Rows = NDArray[np.int64]
"""Row numbers into another array, shape (N,)."""

Codes = NDArray[np.uint8]
"""Class codes of pixels: 0 = background, 255 = says nothing."""

Floats = NDArray[np.float32]
"""Values of any shape."""

Matrix = NDArray[np.float32]
"""Two axes: a row for each sample, region or cell; a column for each feature, class or score."""

NO_IDS: Ids = np.empty(0, np.int64)


def positions_of(wanted: Ids, known: Ids) -> tuple[Ids, NDArray[np.bool_]]:
    """Positions of ids in an ascending array.

    Args:
        wanted: Shape (N,).
        known: Shape (T,), ascending.

    Returns:
        Positions in `known` of those that are there, shape (K,), and which they are, shape (N,).
    """
    if len(known) == 0:
        return NO_IDS, np.zeros(len(wanted), np.bool_)
    if known[-1] - known[0] == len(known) - 1:  # without gaps, as ids are given: 30 times as fast for a million
        positions = np.clip(wanted - known[0], 0, len(known) - 1)
    else:
        positions = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    there = known[positions] == wanted
    return positions[there], there
