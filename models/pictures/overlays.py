"""Class codes drawn over a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.card import BACKGROUND, IGNORE

_IGNORE_COLOUR = (128, 128, 128)


def overlay(
    picture: NDArray[np.uint8],
    codes: NDArray[np.uint8],
    *,
    palette: Sequence[tuple[int, int, int]],
    opacity: float = 0.5,
) -> NDArray[np.uint8]:
    """Draw class codes over a picture.

    Args:
        picture: RGBA, shape (H, W, 4).
        codes: Class codes of the same place, of any shape; resized to the picture without mixing codes.
            0 is not drawn, 255 (ignore) is grey.
        palette: Colours of class 1, 2, ..; repeated when there are more classes.
        opacity: 0 shows only the picture, 1 only the colours.

    Returns:
        RGBA, shape (H, W, 4).
    """
    height, width, _ = picture.shape
    if codes.shape != (height, width):
        codes = np.asarray(Image.fromarray(codes).resize((width, height), Image.Resampling.NEAREST))
    colours = np.array([palette[(code - 1) % len(palette)] for code in range(256)], np.float32)
    colours[IGNORE] = _IGNORE_COLOUR
    weight = np.where(codes == BACKGROUND, 0.0, opacity)[..., None]
    mixed = picture.copy()
    mixed[..., :3] = np.rint(picture[..., :3] * (1 - weight) + colours[codes] * weight)
    return mixed
