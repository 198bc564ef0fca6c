"""What a pixel looks like, as a vector: its bands, and what the current model says about it."""

import numpy as np
from numpy.typing import NDArray

MODEL_WEIGHT = 4.0
"""Two pixels of different classes, both sure, are as far apart as pixels that differ by 2.8 deviations in all bands."""
CLIP = 6.0
"""Deviations beyond this are all the same: a glint must not outweigh everything else."""
STATISTICS_PX = 65_536


def pixel_features(
    values: NDArray[np.float32], valid: NDArray[np.bool_], probabilities: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Features of each pixel, scaled so that the mean of squared differences is a distance.

    Args:
        values: Raw bands (C, H, W).
        valid: (H, W), at least one True.
        probabilities: Of a segmentation model (K+1, H, W), or None.

    Returns:
        Shape (C [+ K+1], H, W), finite: bands as deviations from their median in units of the median absolute
        deviation (robust z-scores), then the probabilities.
    """
    known = values[:, valid]
    known = known[:, :: max(1, known.shape[1] // STATISTICS_PX)]  # (C, n)
    median = np.median(known, axis=1)
    deviation = 1.4826 * np.median(np.abs(known - median[:, None]), axis=1)
    spread = np.where(deviation > 0, deviation, np.maximum(known.std(axis=1), 1e-6))
    filled = np.where(valid, values, 0)
    scores: NDArray[np.float32] = np.clip((filled - median[:, None, None]) / spread[:, None, None], -CLIP, CLIP).astype(
        np.float32
    )
    if probabilities is None:
        return scores
    count = len(scores) + len(probabilities)
    blocks = [
        scores * np.float32(np.sqrt(count / len(scores))),
        np.nan_to_num(probabilities) * np.float32(np.sqrt(count * MODEL_WEIGHT)),
    ]
    return np.asarray(np.concatenate(blocks), np.float32)
