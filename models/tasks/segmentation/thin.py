"""Metrics for thin classes such as roads, where being off by one pixel halves the IoU though nothing is wrong.

Counts of each class add up over samples and over the windows of a large image; the metrics are ratios of the sums.
A window is looked at alone: a line that runs along its edge and is answered just beyond it counts as missed.
"""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Codes
from models.card import IGNORE
from models.tasks.measuring import OtherMeasure

RELAXED_PX = (1, 2)
"""Distances, in pixels, within which an answer counts as right."""

COUNTS = 10
"""Columns of `thin_counts`: answered pixels, and those of them within 1 and 2 px of the truth; the same of the truth;
skeleton pixels of the answer, and those of them in the truth; the same of the truth."""


def thin_counts(truth: Codes, answer: NDArray[np.integer], classes: int, scale: int = 1) -> NDArray[np.int64]:
    """Counts for the metrics of one map, (classes, `COUNTS`).

    Args:
        truth: Codes (H, W): 0 = background, k = k-th class, 255 = says nothing. Answers there are left out.
        answer: Codes (H, W).
        classes: K.
        scale: Codes for each pixel of the image along each side; distances are in pixels of the image.
    """
    from scipy.ndimage import binary_dilation
    from skimage.morphology import skeletonize  # here: only evaluation needs it, where training is installed

    known = truth != IGNORE
    counts = np.zeros((classes, COUNTS), np.int64)
    present = set(np.unique(truth[known]).tolist()) | set(np.unique(answer[known]).tolist())
    for code in sorted(present - {0}):
        real, found = truth == code, (answer == code) & known
        row = counts[code - 1]
        for column, mask, other in ((0, found, real), (3, real, found)):
            row[column] = mask.sum()
            if mask.any() and other.any():
                near = [binary_dilation(other, _disk(most * scale)) for most in RELAXED_PX]
                row[column + 1 : column + 3] = [(mask & reached).sum() for reached in near]
        for column, mask, other in ((6, found, real), (8, real, found)):
            skeleton = np.asarray(skeletonize(mask)) if mask.any() else mask  # type: ignore[no-untyped-call]
            row[column : column + 2] = skeleton.sum(), (skeleton & other).sum()
    return counts


def thin_metrics(counts: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
    """Metrics of each class, from counts or sums of them.

    `f1_1px` and `f1_2px` are the harmonic mean of relaxed precision and recall (Mnih and Hinton 2010, doi
    10.1007/978-3-642-15567-3_16): shares of the answered pixels near the truth and of the true ones near the answer.
    `cldice` is the harmonic mean of the share of the answer's skeleton that lies in the truth, and of the truth's in
    the answer (Shit et al. 2021, arXiv:2003.07311).

    Args:
        counts: (..., K, `COUNTS`).

    Returns:
        Shape (..., K) each, 0 to 1; NaN where the truth does not show the class.
    """
    values = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    found, real = values[0], values[3]
    pairs = {
        "f1_1px": (values[1], found, values[4], real),
        "f1_2px": (values[2], found, values[5], real),
        "cldice": (values[7], values[6], values[9], values[8]),
    }
    return {name: np.where(real > 0, _harmonic(*pair), np.nan) for name, pair in pairs.items()}


def _disk(radius: int) -> NDArray[np.bool_]:
    """What lies within a distance."""
    steps = np.arange(-radius, radius + 1)
    inside: NDArray[np.bool_] = steps[:, None] ** 2 + steps[None] ** 2 <= radius**2
    return inside


def _harmonic(
    right: NDArray[np.float64], answered: NDArray[np.float64], met: NDArray[np.float64], true: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of precision and recall; 0 where nothing is answered."""
    precision = right / np.maximum(answered, 1.0)
    recall = met / np.maximum(true, 1.0)
    total = precision + recall
    mean: NDArray[np.float64] = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    return mean


def _one(name: str) -> OtherMeasure:
    return OtherMeasure(name, lambda counts: thin_metrics(counts)[name], by_class=True, of="further counts")


THIN_MEASURES = [_one(name) for name in ("f1_1px", "f1_2px", "cldice")]
