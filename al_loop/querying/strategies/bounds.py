"""Bounded random parts of a pool: they keep time and memory of a choice independent of the pool's size."""

import numpy as np
from numpy.typing import NDArray

REFERENCES = 2048
"""Random samples on which coverage of the pool is estimated."""

CANDIDATES = 512
"""Random candidates of a coverage query; as many most uncertain ones join them when there is a model."""

COVERED = 1024
"""Labelled and leased samples that are taken into account, at most; a random part of them when there are more."""

CANDIDATES_PER_PICK = 2
"""Large queries look at this many random candidates a pick at least."""

UNCERTAIN_CANDIDATES = 1024
"""Most uncertain candidates of a coverage query, at most."""


def some(count: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """All of `count` positions, or a random `most` of them, in random order, shape (min(count, most),)."""
    return rng.choice(count, min(count, most), replace=False)
