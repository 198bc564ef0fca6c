"""Do lines lie on what they are lines of? The shift at which burnt lines meet most contrast in the images.

Roads of another data set may be off by pixels: by another datum, by generalisation, or because the image is. Thin
things differ from what is around them, so the mean local contrast under the lines is largest where they lie right.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

MOST_SHIFT_PX = 6
WARN_PX = 1.0
"""A best shift beyond this is warned of."""
CLEAR = 3.0
"""Standard deviations over the other shifts from which a best shift is clear."""
_WIDE_PX = 3.0


class Offset(NamedTuple):
    """The best shift of a data set."""

    columns: int
    """To the right, by how much the lines would have to move to lie on what the images show."""
    rows: int
    """Down."""
    clearness: float
    """Standard deviations by which it stands out from the other shifts."""
    images: int
    """That were looked at."""

    @property
    def is_clear(self) -> bool:
        """Whether it says anything."""
        return self.clearness >= CLEAR

    @property
    def is_off(self) -> bool:
        """Whether the lines lie beside what they are lines of."""
        return self.is_clear and float(np.hypot(self.columns, self.rows)) > WARN_PX

    @property
    def sentence(self) -> str:
        """For people."""
        if not self.images:
            return "the offset was not checked: no image could be read"
        if not self.is_clear:
            return f"no shift stands out over {self.images} images: whether the lines are off cannot be told"
        where = f"{self.columns:+d} columns and {self.rows:+d} rows"
        if self.is_off:
            return (
                f"the lines seem to be off: moved by {where} they fit {self.images} images best; check the CRS and "
                "look at a few images before you train on them"
            )
        return f"the lines fit the images: the best shift over {self.images} of them is {where}"


def local_contrast(image: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much each pixel differs from what is around it, mean over bands in their standard deviations.

    Args:
        image: (C, H, W) raw values, NaN invalid.

    Returns:
        Shape (H, W); 0 where invalid.
    """
    total = np.zeros(image.shape[1:])
    for band in image.astype(np.float64):
        valid = np.isfinite(band)
        if not valid.any():
            continue
        filled = np.where(valid, band, np.median(band[valid]))
        differs = np.abs(gaussian_filter(filled, 0.5) - gaussian_filter(filled, _WIDE_PX))
        spread = differs[valid].std()
        total += np.where(valid, differs / spread, 0.0) if spread > 0 else 0.0
    return total / len(image)


def find_offset(pairs: Iterable[tuple[NDArray[np.float32], NDArray[np.bool_]]]) -> Offset:
    """The shift at which masks of lines meet most local contrast.

    Args:
        pairs: Image (C, H, W) and mask (H, W) of its lines.
    """
    span = np.arange(-MOST_SHIFT_PX, MOST_SHIFT_PX + 1)
    total = np.zeros((len(span), len(span)))
    images = 0
    for image, mask in pairs:
        contrast = local_contrast(image)
        rows, columns = np.nonzero(mask)
        height, width = mask.shape
        inside = (
            (rows >= MOST_SHIFT_PX) & (rows < height - MOST_SHIFT_PX)
            & (columns >= MOST_SHIFT_PX) & (columns < width - MOST_SHIFT_PX)
        )  # fmt: skip
        rows, columns = rows[inside], columns[inside]  # the same pixels for every shift
        if not len(rows):
            continue
        images += 1
        found = np.array([[contrast[rows + down, columns + right].sum() for right in span] for down in span])
        total += found
    if not images:
        return Offset(0, 0, 0.0, 0)
    best = np.unravel_index(int(total.argmax()), total.shape)
    down, right = int(span[best[0]]), int(span[best[1]])
    far = np.hypot(span[:, None] - down, span[None] - right) > 2.0  # neighbours of the best are good, too
    spread = float(total[far].std())
    clearness = float(total.max() - total[far].mean()) / spread if spread > 0 else 0.0
    return Offset(right, down, clearness, images)
