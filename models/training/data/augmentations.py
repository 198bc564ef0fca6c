"""Label-preserving changes of training chips: overhead images have no up, and light differs from day to day.

All take and return raw values, float32 with NaN at invalid pixels; NaN stays NaN.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.card import BandStatistics

Array = TypeVar("Array", bound=np.ndarray)

DIHEDRAL_SIZE = 8
"""Elements of the symmetry group of the square: 4 quarter turns, each with or without a flip."""


def turn(array: Array, element: int) -> Array:
    """Apply one element of the dihedral group to the last two axes.

    Args:
        array: (..., H, W) of any dtype.
        element: In [0, 8): `element % 4` quarter turns counter-clockwise, after a left-right flip from 4 on.

    Returns:
        A view of shape (..., H, W), or (..., W, H) for odd quarter turns.
    """
    flipped = array[..., ::-1] if element >= 4 else array
    return np.rot90(flipped, element % 4, axes=(-2, -1))  # type: ignore[return-value]  # numpy types drop the subclass


def perturb_radiometry(
    image: NDArray[np.float32], statistics: BandStatistics, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Change brightness, band balance and offset a little and add sensor noise.

    Gain of the whole image within 10 %, of each band within 5 %, offset within 5 % and noise with a standard
    deviation within 2 % of the band's `high - low`.

    Args:
        image: (C, H, W) float32 raw values, NaN invalid.
        statistics: Of the same C bands.
        rng: Source of the draws.

    Returns:
        A new array of the same shape with NaN exactly where `image` has it.
    """
    bands = image.shape[0]
    low = np.asarray(statistics.low, np.float32).reshape(-1, 1, 1)
    span = (np.asarray(statistics.high, np.float32) - np.asarray(statistics.low, np.float32)).reshape(-1, 1, 1)
    gain = rng.uniform(0.9, 1.1) * rng.uniform(0.95, 1.05, size=(bands, 1, 1))
    offset = span * (rng.uniform(-0.05, 0.05) + rng.uniform(-0.02, 0.02, size=(bands, 1, 1)))
    noise = span * rng.uniform(0.0, 0.02) * rng.standard_normal(image.shape, dtype=np.float32)
    changed = (image - low) * gain + low + offset + noise
    return changed.astype(np.float32)
