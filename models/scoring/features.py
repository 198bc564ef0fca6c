"""Simple image features for the cold start: colour, texture and band relations of one image as a short vector.

No model and no training data are needed; they serve coverage of the pool until the first model brings embeddings.
"""

import numpy as np
from numpy.typing import NDArray

from models.rasters.bands import filled, invalid_pixels

MAX_SIDE_PX = 64
"""Images are read decimated to at most this side: enough for colour and coarse texture, and 0.5 ms an image."""

MAX_PAIRS = 15
"""Pairs of bands whose relation is described (all pairs of up to 6 bands)."""

_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_SCALES_PX = (1, 4)


def feature_size(bands: int) -> int:
    """Length of the vector that `image_features` returns for an image of n bands."""
    return bands * (2 + len(_QUANTILES) + len(_SCALES_PX)) + 2 * len(_pairs(bands))


def image_features(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe one image.

    Args:
        image: Raw band values, shape (C, h, w), sides of at most about `MAX_SIDE_PX`; NaN in all bands marks
            invalid pixels, which are left out; where some bands are missing, they count as their mean.

    Returns:
        Shape (`feature_size(C)`,), finite, in the units of the bands: for each band the mean, the standard deviation,
        five quantiles and the mean absolute gradient at 1 and 4 pixels; for pairs of bands the normalised difference
        of the means and the correlation.

    Raises:
        ValueError: The image has no valid pixel.
    """
    image = filled(image)
    valid = ~invalid_pixels(image)  # (h, w)
    pixels = image[:, valid]  # (C, n)
    if pixels.shape[1] == 0:
        raise ValueError("no valid pixel")
    mean = pixels.mean(axis=1)
    centred = pixels - mean[:, None]
    deviation = np.sqrt(np.square(centred).mean(axis=1))
    ranked = np.sort(pixels, axis=1)
    quantiles = ranked[:, [round(share * (ranked.shape[1] - 1)) for share in _QUANTILES]]  # (C, 5)
    masked = np.where(valid, image, np.nan)
    gradients = [_gradient(_block_means(masked, scale)) for scale in _SCALES_PX]
    first, second = _pairs(len(image)).T
    total = np.abs(mean[first]) + np.abs(mean[second])
    difference = (mean[first] - mean[second]) / np.maximum(total, 1e-6)
    spread = np.maximum(deviation[first] * deviation[second], 1e-12)
    correlation = (centred[first] * centred[second]).mean(axis=1) / spread
    parts = [mean, deviation, quantiles.ravel(), *gradients, difference, correlation]
    return np.concatenate(parts).astype(np.float32)


def _pairs(bands: int) -> NDArray[np.int64]:
    """Band pairs, nearest neighbours first, shape (P, 2)."""
    pairs = [(first, first + gap) for gap in range(1, bands) for first in range(bands - gap)]
    return np.array(pairs[:MAX_PAIRS], np.int64).reshape(-1, 2)


def _block_means(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Means of size x size blocks, shape (C, h // size, w // size); NaN where a block holds an invalid pixel."""
    bands, height, width = image.shape
    rows, columns = height // size, width // size
    if size == 1 or not rows or not columns:
        return image
    blocks = image[:, : rows * size, : columns * size].reshape(bands, rows, size, columns, size)
    return np.asarray(blocks.mean(axis=(2, 4)))


def _gradient(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean absolute difference of neighbours that are both valid, per band, shape (C,); 0 without such neighbours."""
    total = np.zeros(len(image), np.float64)
    count = 0
    for steps in (np.diff(image, axis=1), np.diff(image, axis=2)):
        usable = ~np.isnan(steps[0]) if steps.size else np.zeros(steps.shape[1:], bool)
        total += np.abs(steps[:, usable]).sum(axis=1)
        count += int(usable.sum())
    return (total / max(count, 1)).astype(np.float32)
