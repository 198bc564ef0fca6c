"""Read index masks: one band of class codes, as annotation tools and published data sets store them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import RasterTooLargeError, UnreadableRasterError
from models.raster_files import open_file

MAX_MASK_PX = 2**28
"""A mask is read whole; the cut of a scene for training is far smaller."""


def read_codes(path: Path, *, max_px: int = MAX_MASK_PX) -> NDArray[np.uint8]:
    """Read a mask's class codes as stored, whatever its nodata value says.

    Args:
        path: One-band GeoTIFF or PNG of whole numbers from 0 to 255. JPEG is refused: it blurs codes.
        max_px: Refuse a mask whose header claims more pixels.

    Returns:
        Codes of shape (H, W).

    Raises:
        UnreadableRasterError: Not such a file, truncated, or with values outside 0..255.
        RasterTooLargeError: The header claims more than `max_px` pixels.
    """
    name = path.name
    with open_file(path, name) as dataset:
        if dataset.driver == "JPEG":
            raise UnreadableRasterError(name, "a mask must be a GeoTIFF or PNG; JPEG blurs class codes")
        if dataset.count != 1:
            raise UnreadableRasterError(name, f"a mask has one band of class codes, not {dataset.count}")
        if dataset.width * dataset.height > max_px:
            raise RasterTooLargeError(name, dataset.width, dataset.height, 1, max_px)
        values = dataset.read(1)
    if np.iscomplexobj(values) or not np.all((values >= 0) & (values <= 255)):
        raise UnreadableRasterError(name, "a mask holds class codes from 0 to 255")
    codes: NDArray[np.uint8] = values.astype(np.uint8)
    if not np.array_equal(codes, values):
        raise UnreadableRasterError(name, "a mask holds whole numbers, not fractions")
    return codes
