"""Read masks as they are found: class codes, palettes, colours, with or without transparency."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from models.errors import RasterTooLargeError, UnreadableRasterError
from models.rasters.files import open_file
from models.rasters.masks import MAX_MASK_PX

_COLOUR_BANDS = (3, 4)
_WITH_ALPHA = (2, 4)


class MaskPixels(NamedTuple):
    """A mask as stored. Transparent pixels have value 0, which is background, or black."""

    values: NDArray[np.uint32]
    """Shape (H, W): class codes 0..255, or colours 0xRRGGBB."""
    coloured: bool
    """Whether `values` are colours."""
    palette: dict[int, int]
    """Colour of each code that occurs; empty for masks without a palette."""


def read_mask(path: Path) -> MaskPixels:
    """Read a mask of one band of codes, grey with alpha, RGB or RGBA.

    Args:
        path: GeoTIFF or PNG. JPEG is refused: it blurs codes and colours.

    Raises:
        UnreadableRasterError: Not such a file, truncated, with other bands, or with values that are no codes.
        RasterTooLargeError: The header claims more than `MAX_MASK_PX` pixels.
    """
    name = path.name
    with open_file(path, name) as dataset:
        if dataset.driver == "JPEG":
            raise UnreadableRasterError(name, "a mask must be a GeoTIFF or PNG; JPEG blurs class codes")
        if dataset.width * dataset.height > MAX_MASK_PX:
            raise RasterTooLargeError(name, dataset.width, dataset.height, 1, MAX_MASK_PX)
        if dataset.count > max(_COLOUR_BANDS):
            raise UnreadableRasterError(
                name, f"a mask has one band of class codes or is RGB, not {dataset.count} bands"
            )
        if dataset.count in _WITH_ALPHA and dataset.colorinterp[-1] != ColorInterp.alpha:
            raise UnreadableRasterError(
                name, f"a mask has one band of class codes or is RGB; band {dataset.count} of this one is no alpha"
            )
        has_palette = dataset.colorinterp[0] == ColorInterp.palette
        colours = dataset.colormap(1) if has_palette else {}
        bands = dataset.read()
    if dataset.count in _COLOUR_BANDS:
        return MaskPixels(_opaque(_packed(bands, name), bands[3:]), True, {})
    codes = _opaque(_codes(bands[0], name), bands[1:])
    used = np.unique(codes).tolist() if colours else []
    palette = {code: _pack(colours[code][:3]) for code in used if code in colours}
    return MaskPixels(codes, False, palette)


def hex_colour(colour: int) -> str:
    """`#rrggbb` of 0xRRGGBB."""
    return f"#{colour:06x}"


def _codes(band: NDArray[Any], name: str) -> NDArray[np.uint32]:
    if np.iscomplexobj(band) or not np.all((band >= 0) & (band <= 255)):
        raise UnreadableRasterError(name, "a mask holds class codes from 0 to 255")
    codes = band.astype(np.uint32)
    if not np.array_equal(codes, band):
        raise UnreadableRasterError(name, "a mask holds whole numbers, not fractions")
    return codes


def _packed(bands: NDArray[np.generic], name: str) -> NDArray[np.uint32]:
    if bands.dtype != np.uint8:
        raise UnreadableRasterError(name, f"colours of a mask are 8-bit, not {bands.dtype}")
    red, green, blue = (band.astype(np.uint32) for band in bands[:3])
    packed: NDArray[np.uint32] = red << 16 | green << 8 | blue
    return packed


def _opaque(values: NDArray[np.uint32], alpha: NDArray[np.generic]) -> NDArray[np.uint32]:
    """The values, 0 where the alpha band (shape (1, H, W), or none: (0, H, W)) is 0."""
    return np.where(alpha[0] == 0, np.uint32(0), values) if len(alpha) else values


def _pack(colour: tuple[int, ...]) -> int:
    red, green, blue = colour
    return red << 16 | green << 8 | blue
