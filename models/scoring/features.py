"""Simple image features for the cold start: colour, texture and band relations of one image as a short vector.

No model and no training data are needed; they serve coverage of the pool until the first model brings embeddings.
"""

import numpy as np
from numpy.typing import NDArray

MAX_SIDE_PX = 64
"""Images are read decimated to at most this side: enough for colour and coarse texture, and 0.5 ms an image."""

MAX_PAIRS = 15
"""Pairs of bands whose relation is described (all pairs of up to 6 bands)."""

_QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
_SCALES_PX = (1, 4)
_CLIP = 4.0
_FIT_ROWS = 20_000


def feature_size(bands: int) -> int:
    """Length of the vector that `image_features` returns for an image of so many bands."""
    return bands * (2 + len(_QUANTILES) + len(_SCALES_PX)) + 2 * len(_pairs(bands))


def image_features(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Describe one image.

    Args:
        image: Raw band values, shape (C, h, w), sides of at most about `MAX_SIDE_PX`; NaN marks invalid pixels. A pixel
            with any NaN band is left out as a whole.

    Returns:
        Shape (`feature_size(C)`,), finite, in the units of the bands: for each band the mean, the standard deviation,
        five quantiles and the mean absolute gradient at 1 and 4 pixels; for pairs of bands the normalised difference
        of the means and the correlation.

    Raises:
        ValueError: The image has no valid pixel.
    """
    valid = np.isfinite(image).all(axis=0)  # (h, w)
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


def standardise(features: NDArray[np.float32]) -> NDArray[np.float16]:
    """Make features comparable over the pool, so that distances mean something.

    Robust z-scores (median and interquartile range, clipped to 4), which a few odd images cannot stretch; then half
    whitening: principal components divided by the square root of their standard deviation. Many features say the same
    thing (brightness above all), and undamped it would be all that a distance sees. Both are estimated on at most
    20,000 evenly spaced rows and applied in chunks, so that little memory is needed beside the result.

    Args:
        features: Shape (N, D), finite, in any units; at least one row.

    Returns:
        Shape (N, D), centred, rows of about unit root mean square length. Features that do not vary over the pool
        become 0, and so does everything if all images are alike.
    """
    fitted = np.asarray(features[:: -(-len(features) // _FIT_ROWS)])
    low, middle, high = np.percentile(fitted, (25, 50, 75), axis=0).astype(np.float32)
    spread = (high - low) / np.float32(1.349)  # of a normal distribution
    flat = spread <= 1e-6 * np.maximum(np.abs(middle), 1e-6)
    divisor = np.where(flat, np.inf, spread)

    def robust_scores(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(np.clip((rows - middle) / divisor, -_CLIP, _CLIP), np.float32)

    scores = robust_scores(fitted)
    centre = scores.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(scores, rowvar=False, bias=True).reshape(2 * (features.shape[1],)))
    if variances[-1] <= 0:
        return np.zeros(features.shape, np.float16)
    deviations = np.sqrt(np.maximum(variances, 1e-4 * variances[-1]))  # ascending; a floor for what hardly varies
    projection = axes / np.sqrt(deviations)
    length = np.sqrt(np.square((scores - centre) @ projection).sum(axis=1).mean())
    projection = (projection / length).astype(np.float32)
    result = np.empty(features.shape, np.float16)
    for start in range(0, len(features), _FIT_ROWS):
        chunk = slice(start, start + _FIT_ROWS)
        result[chunk] = (robust_scores(np.asarray(features[chunk])) - centre) @ projection
    return result


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
