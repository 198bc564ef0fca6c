"""Read parts of a raster reduced by powers of two: from its own overviews, from reduced copies, or by means of blocks.

A raster of H x W px has ceil(H / f) x ceil(W / f) px at factor f; a pixel there is the mean of the valid ones of f x f
(its own overviews: as their maker made them). Levels are read by whole pixels, so neighbouring parts have no seam.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import MaskFlags

from models.card import BandPolicy
from models.rasters.bands import AS_DECLARED, BandLayout, layout_of
from models.rasters.files import open_file
from models.rasters.pixels import read_values
from models.rasters.tiling import Window

TILE_PX = 256
DIRECT_PX = 2048 * 2048
"""Pixels that are read and averaged at once; a raster with more, after its own overviews, gets reduced copies."""
COPY_FACTORS = (4, 8, 16, 32, 64)


class Levels(NamedTuple):
    """Where the reduced levels of a raster are."""

    height: int
    width: int
    overviews: dict[int, int]
    """Its own overviews that may be used: factor to number, 0 = the finest."""
    layout: BandLayout | None = None
    """Of its bands; None: what the dataset that is opened says."""
    policy: BandPolicy = AS_DECLARED
    """By which it is read."""

    @property
    def max_zoom(self) -> int:
        """The zoom at which a tile shows the raster 1:1; at 0 one tile holds all of it."""
        return max(0, math.ceil(math.log2(max(self.height, self.width) / TILE_PX)))

    @property
    def needs_copies(self) -> bool:
        """Whether a picture of all of it would have to read too many pixels."""
        coarsest = max(self.overviews, default=1)
        return self.height * self.width > DIRECT_PX * coarsest**2


def levels_of(path: Path, name: str, policy: BandPolicy = AS_DECLARED) -> Levels:
    """What a raster file offers.

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
    """
    with open_file(path, name) as dataset:
        layout = layout_of(dataset, policy)
        height, width = dataset.shape
        flags = dataset.mask_flag_enums[0]
        separate_mask = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
        factors = () if separate_mask else dataset.overviews(1)  # a mask need not have any
    usable = {}
    for number, factor in enumerate(factors):
        with open_file(path, name, overview_level=number) as dataset:
            if dataset.shape == reduced_shape(height, width, factor):
                usable[factor] = number
    return Levels(height, width, usable, layout, policy)


def reduced_shape(height: int, width: int, factor: int) -> tuple[int, int]:
    """Height and width of a raster at a factor."""
    return -(-height // factor), -(-width // factor)


def read_reduced(
    path: Path,
    name: str,
    bands: Sequence[int],
    levels: Levels,
    factor: int,
    window: Window,
    copies: Path | None = None,
) -> NDArray[np.float32]:
    """Read a part of a raster reduced by a factor.

    Args:
        path: The raster file.
        name: What messages call it.
        bands: 1-based bands.
        levels: As `levels_of` says.
        factor: A power of two.
        window: The part, in pixels of the reduced raster, which it must not leave.
        copies: Directory that `write_copies` made of it; None: there is none.

    Returns:
        Raw values (C, H, W), NaN where no pixel of the block is valid.

    Raises:
        UnreadableRasterError: The file is not readable or damaged.
        UnusableRasterError: It has no such band.
    """
    own = max((f for f in levels.overviews if factor % f == 0), default=1)
    copied = 0 if copies is None else max((f for f in COPY_FACTORS if factor % f == 0), default=0)
    while copied and copies is not None and not copy_file(copies, copied).exists():
        copied //= 2
    start = max(own, copied)
    rest = factor // start
    height, width = reduced_shape(levels.height, levels.width, start)
    column, row = window.column * rest, window.row * rest
    source = (column, row, min(window.width * rest, width - column), min(window.height * rest, height - row))
    if copies is not None and copied > own:
        opened = open_file(copy_file(copies, copied), name)
        policy, layout = AS_DECLARED, None
    else:
        opened = open_file(path, name, overview_level=levels.overviews.get(own))
        policy, layout = levels.policy, levels.layout
    with opened as dataset:
        values = read_values(dataset, name, bands, source, None, policy=policy, layout=layout)
    return block_means(values, rest)


def block_means(values: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means of blocks of factor x factor px, (C, ceil(H / f), ceil(W / f)); NaN is left out, and stays where all is."""
    if factor == 1:
        return values
    count, height, width = values.shape
    rows, columns = reduced_shape(height, width, factor)
    if (rows * factor, columns * factor) != (height, width):
        padding = ((0, 0), (0, rows * factor - height), (0, columns * factor - width))
        values = np.pad(values, padding, constant_values=np.nan)
    blocks = values.reshape(count, rows, factor, columns * factor)
    means: NDArray[np.float32] = blocks.sum(axis=2).reshape(count, rows, columns, factor).sum(axis=3)
    means /= np.float32(factor**2)
    partly = np.isnan(means)
    if partly.any():
        blocks = values.reshape(count, rows, factor, columns, factor).swapaxes(2, 3)[partly]
        valid = ~np.isnan(blocks)
        counts = valid.sum(axis=(1, 2))
        sums = np.where(valid, blocks, np.float32(0)).sum(axis=(1, 2))
        means[partly] = np.where(counts > 0, sums / np.maximum(counts, 1), np.float32(np.nan))
    return means


def fitted(values: NDArray[np.float32], size_px: int) -> NDArray[np.float32]:
    """Values (C, H, W) reduced so that the longer side is `size_px`, by means of areas; NaN is left out."""
    _, height, width = values.shape
    reduction = max(height, width) / size_px
    size = (max(1, round(width / reduction)), max(1, round(height / reduction)))

    def means(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BOX))

    valid = np.isfinite(values)
    sums = np.stack([means(plane) for plane in np.where(valid, values, np.float32(0))])
    shares = np.stack([means(plane) for plane in valid.astype(np.float32)])
    return np.where(shares > 0, sums / np.maximum(shares, np.float32(1e-6)), np.float32(np.nan))


def copy_file(copies: Path, factor: int) -> Path:
    """The reduced copy of a factor."""
    return copies / f"{factor}.tif"
