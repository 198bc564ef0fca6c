"""Turn the stored bands of an open dataset into float32 values with NaN where they are invalid."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from models.card import BandPolicy
from models.errors import UnusableRasterError
from models.rasters.bands import (
    AS_DECLARED,
    BandLayout,
    check_bands,
    declares_alpha,
    expand,
    invalid_pixels,
    layout_of,
    palette_of,
)


class StoredPixels(NamedTuple):
    """A raster decoded whole."""

    stored: NDArray[Any]
    """All bands as stored, (B, H, W)."""
    data: NDArray[Any]
    """Bands with data, (C, H, W); most often a view of `stored`."""
    invalid: NDArray[np.bool_]
    """Where they are invalid: (C, H, W), (1, H, W) or (1, 1, 1)."""


def read_values(
    dataset: DatasetReader,
    name: str,
    bands: Sequence[int],
    window: tuple[int, int, int, int] | None,
    out_shape: tuple[int, int] | None,
    *,
    policy: BandPolicy = AS_DECLARED,
    layout: BandLayout | None = None,
) -> NDArray[np.float32]:
    """Raw values of 1-based bands, (C, H, W), NaN where invalid; see `models.rasters.reading.read_raster`.

    `layout`: what `layout_of` says of the full raster, for a dataset that is one of its overviews; None: ask it.
    """
    layout = layout_of(dataset, policy) if layout is None else layout
    check_bands(bands, layout.data_bands, name)
    where = None
    if window is not None:
        column, row, width, height = window
        inside = column + width <= dataset.width and row + height <= dataset.height
        if not inside or min(column, row) < 0 or min(width, height) < 1:
            raise UnusableRasterError(name, f"window {window} leaves its {dataset.width} x {dataset.height} px")
        where = Window(column, row, width, height)
    stored = list(bands) if layout.expanded is None else [1]
    # GDAL would leave pixels out of an average by the alpha flag, right or wrong; and codes of a palette have no mean.
    averaged = layout.expanded != "palette" and (layout.alpha or not declares_alpha(dataset))
    resampling = Resampling.average if averaged else Resampling.nearest
    read = _Read(dataset, where, out_shape, resampling)
    raw = read.bands(stored)
    invalid = _invalid(read, stored, raw, layout, policy)
    if layout.expanded is not None:
        raw, invalid = expand(raw, invalid, layout, palette_of(dataset, layout))
        raw = raw[[band - 1 for band in bands]]
    return to_float(raw, invalid, policy)


def read_stored(dataset: DatasetReader, policy: BandPolicy, layout: BandLayout) -> StoredPixels:
    """All bands of a dataset, decoded once."""
    raw = dataset.read()
    bands = range(1, dataset.count - layout.alpha + 1)
    data = raw[: len(bands)]
    invalid = _invalid(_Read(dataset, None, None, Resampling.nearest), bands, data, layout, policy)
    if layout.expanded is not None:
        data, invalid = expand(data, invalid, layout, palette_of(dataset, layout))
    return StoredPixels(raw, data, invalid)


def rules_out_invalid(dataset: DatasetReader, policy: BandPolicy) -> bool:
    """Whether the header says that no pixel is invalid: whole numbers without a mask, alpha or a nodata value."""
    layout, flags = layout_of(dataset, policy), dataset.mask_flag_enums[0]
    masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
    if masked or layout.alpha or layout.expanded == "palette":
        return False
    types = [np.dtype(name) for name in dataset.dtypes]
    whole = all(np.issubdtype(kind, np.integer) for kind in types)
    return whole and not any(map(_can_occur, dataset.nodatavals, types))


_FEW_BLOCKS, _READ_AT_ONCE = 64, 1 << 22
"""Blocks that are read one by one; and pixels of a raster that is read at once where points lie in more of them."""


def invalid_at(
    dataset: DatasetReader, name: str, bands: Sequence[int], pixels: NDArray[np.int64], *, policy: BandPolicy
) -> NDArray[np.bool_]:
    """Whether single pixels are invalid; only the blocks that they lie in are decoded, each once.

    Args:
        dataset: An open raster.
        name: What messages call it.
        bands: 1-based bands.
        pixels: Column and row of each, shape (N, 2), inside the raster.
        policy: How bands are read, and what nodata means.

    Returns:
        Shape (N,).

    Raises:
        UnusableRasterError: It has no such band.
    """
    found = np.zeros(len(pixels), np.bool_)
    if rules_out_invalid(dataset, policy):
        return found
    blocks, block_of = np.unique(pixels[:, ::-1] // dataset.block_shapes[0], axis=0, return_inverse=True)
    if len(blocks) > _FEW_BLOCKS and dataset.width * dataset.height <= _READ_AT_ONCE:
        blocks, block_of = blocks[:1], np.zeros(len(pixels), np.int64)
    for number in range(len(blocks)):  # from top to bottom, the order in which JPEG and PNG are decoded
        inside = np.flatnonzero(block_of.ravel() == number)
        left, top = pixels[inside].min(axis=0).tolist()
        width, height = (pixels[inside].max(axis=0) + 1 - [left, top]).tolist()
        values = read_values(dataset, name, bands, (left, top, width, height), None, policy=policy)
        found[inside] = invalid_pixels(values)[pixels[inside, 1] - top, pixels[inside, 0] - left]
    return found


class _Read(NamedTuple):
    """A part of a dataset, perhaps resampled, of which bands are read."""

    dataset: DatasetReader
    window: Window | None
    out_shape: tuple[int, int] | None
    resampling: Resampling

    def bands(self, bands: Sequence[int]) -> NDArray[Any]:
        """Bands as stored, (C, H, W)."""
        shape = None if self.out_shape is None else (len(bands), *self.out_shape)
        raw: NDArray[Any] = self.dataset.read(
            list(bands), window=self.window, out_shape=shape, resampling=self.resampling
        )
        return raw


def _invalid(
    read: _Read, bands: Sequence[int], raw: NDArray[Any], layout: BandLayout, policy: BandPolicy
) -> NDArray[np.bool_]:
    """Where a pixel is invalid, (C, H, W), (1, H, W) or (1, 1, 1).

    As GDAL's dataset mask, whose order this is: a mask band first, then nodata values; besides, wherever alpha is 0.

    Args:
        read: The part.
        bands: The stored bands that `raw` holds.
        raw: Shape (C, H, W), as stored, perhaps resampled.
        layout: Of the file.
        policy: What nodata means.
    """
    dataset, shape = read.dataset, (1, *raw.shape[1:])
    flags = dataset.mask_flag_enums[0]
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        invalid = np.asarray(dataset.read_masks([1], window=read.window, out_shape=shape) == 0)
    else:
        invalid = _nodata(read, bands, raw, policy)
    if layout.alpha:  # read by hand: GDAL takes alpha bands as masks for uint8 and uint16 only
        invalid = invalid | (dataset.read([dataset.count], window=read.window, out_shape=shape) == 0)
    return invalid


def _nodata(read: _Read, bands: Sequence[int], raw: NDArray[Any], policy: BandPolicy) -> NDArray[np.bool_]:
    """Where nodata values say so: (C, H, W) for policy "any", (1, H, W) for "all", (1, 1, 1) if nowhere."""
    nodata = read.dataset.nodatavals
    nowhere = np.zeros((1, 1, 1), np.bool_)
    if policy.nodata == "any":
        if not any(_can_occur(nodata[band - 1], raw.dtype) for band in bands):
            return nowhere
        return np.stack([_equal(values, nodata[band - 1]) for band, values in zip(bands, raw, strict=True)])
    if not all(_can_occur(value, raw.dtype) for value in nodata):
        return nowhere
    invalid = np.logical_and.reduce([_equal(values, nodata[band - 1]) for band, values in zip(bands, raw, strict=True)])
    others = [band for band in read.dataset.indexes if band not in bands]
    if others and invalid.any():
        for band, values in zip(others, read.bands(others), strict=True):
            invalid &= _equal(values, nodata[band - 1])
    return np.asarray(invalid[None])


def _can_occur(value: float | None, dtype: np.dtype[Any]) -> bool:
    """Whether there is a nodata value and a band of this type can hold it."""
    if value is None:
        return False
    if np.issubdtype(dtype, np.floating):
        return True
    limits = np.iinfo(dtype)
    return limits.min <= value <= limits.max and value == int(value)


def _equal(values: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Where values (H, W) are the nodata value."""
    if nodata is None or not _can_occur(nodata, values.dtype):
        return np.zeros(values.shape, np.bool_)
    return np.asarray(np.isnan(values) if np.isnan(nodata) else values == values.dtype.type(nodata))


def to_float(raw: NDArray[Any], invalid: NDArray[np.bool_], policy: BandPolicy) -> NDArray[np.float32]:
    """Float32 copy of stored values, NaN where `invalid` (broadcast to it) or infinite.

    A value that is infinite or NaN is missing in its band only, or with policy "any" in all bands.
    """
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, then NaN
        values = raw.astype(np.float32)
    if np.issubdtype(raw.dtype, np.floating):
        values[~np.isfinite(values)] = np.nan
    if invalid.any():
        values[np.broadcast_to(invalid, values.shape)] = np.nan
    if policy.nodata == "any" and len(values) > 1 and values.size and np.isnan(values.min()):
        values[:, np.isnan(values).any(axis=0)] = np.nan
    return values
