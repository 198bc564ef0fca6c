"""Turn the stored bands of an open dataset into float32 values with NaN where they are invalid."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from models.errors import UnusableRasterError

_PROBE_PX = 64
"""Side of the windows that are looked at to tell an alpha band from a fourth band of data."""


def has_alpha(dataset: DatasetReader) -> bool:
    """Whether the last band is an alpha band.

    GDAL flags the fourth band of any uint8 GeoTIFF as alpha unless its writer says otherwise, near infrared too. Such
    a band counts as alpha only if all it holds, where we look, is 0 and 255 and at least one 255.
    """
    if not _is_flagged_alpha(dataset):
        return False
    if dataset.driver != "GTiff" or dataset.count != 4 or dataset.dtypes[0] != "uint8":
        return True
    columns = _probe_offsets(dataset.width)
    rows = _probe_offsets(dataset.height)
    opaque = False
    for row in rows:
        for column in columns:
            size = Window(column, row, min(_PROBE_PX, dataset.width), min(_PROBE_PX, dataset.height))
            values = dataset.read(4, window=size)
            if ((values != 0) & (values != 255)).any():
                return False
            opaque |= bool(values.any())
    return opaque


def _is_flagged_alpha(dataset: DatasetReader) -> bool:
    return bool(dataset.count > 1 and dataset.colorinterp[-1] == ColorInterp.alpha)


def _probe_offsets(length: int) -> list[int]:
    return sorted({0, max(0, length - _PROBE_PX) // 2, max(0, length - _PROBE_PX)})


def read_values(
    dataset: DatasetReader,
    name: str,
    bands: Sequence[int],
    window: tuple[int, int, int, int] | None,
    out_shape: tuple[int, int] | None,
    *,
    alpha: bool | None = None,
) -> NDArray[np.float32]:
    """Raw values of 1-based bands, (C, H, W), NaN where invalid; see `models.rasters.reading.read_raster`.

    `alpha`: what `has_alpha` says of the full raster, for a dataset that is one of its overviews; None: ask it.
    """
    alpha = has_alpha(dataset) if alpha is None else alpha
    check_bands(bands, dataset.count - alpha, name)
    where = None
    if window is not None:
        column, row, width, height = window
        inside = column + width <= dataset.width and row + height <= dataset.height
        if not inside or min(column, row) < 0 or min(width, height) < 1:
            raise UnusableRasterError(name, f"window {window} leaves its {dataset.width} x {dataset.height} px")
        where = Window(column, row, width, height)
    shape = None if out_shape is None else (len(bands), *out_shape)
    # GDAL would leave pixels out of an average by the alpha flag, right or wrong.
    resampling = Resampling.average if alpha or not _is_flagged_alpha(dataset) else Resampling.nearest
    raw = dataset.read(list(bands), window=where, out_shape=shape, resampling=resampling)
    return to_float(raw, _invalid(dataset, bands, raw, where, alpha))


def read_stored(dataset: DatasetReader) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """All bands as stored, (C, H, W), and where its data bands are invalid: (C, H, W), (1, H, W) or (1, 1, 1)."""
    raw = dataset.read()
    alpha = has_alpha(dataset)
    bands = range(1, dataset.count - alpha + 1)
    return raw, _invalid(dataset, bands, raw[: len(bands)], None, alpha)


def _invalid(
    dataset: DatasetReader, bands: Sequence[int], raw: NDArray[Any], window: Window | None, alpha: bool
) -> NDArray[np.bool_]:
    """Where a pixel is invalid, (C, H, W), (1, H, W) or (1, 1, 1).

    Args:
        dataset: Open dataset.
        bands: The bands that `raw` holds.
        raw: Shape (C, H, W), as stored, perhaps resampled.
        window: Where `raw` was read.
        alpha: Whether the last band is an alpha band.
    """
    shape = (1, *raw.shape[1:])
    if alpha:  # read by hand: GDAL takes alpha bands as masks for uint8 and uint16 only
        return np.asarray(dataset.read([dataset.count], window=window, out_shape=shape) == 0)
    flags = dataset.mask_flag_enums[bands[0] - 1]
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        return np.asarray(dataset.read_masks([bands[0]], window=window, out_shape=shape) == 0)
    nodata = [dataset.nodatavals[band - 1] for band in bands]
    if not any(_can_occur(value, raw.dtype) for value in nodata):
        return np.zeros((1, 1, 1), np.bool_)
    invalid = np.zeros(raw.shape, np.bool_)
    for layer, values, value in zip(invalid, raw, nodata, strict=True):
        if _can_occur(value, raw.dtype):
            np.equal(values, raw.dtype.type(value), out=layer)
    return invalid


def _can_occur(value: float | None, dtype: np.dtype[Any]) -> bool:
    """Whether there is a nodata value and a band of this type can hold it (NaN needs no comparison)."""
    if value is None or np.isnan(value):
        return False
    if np.issubdtype(dtype, np.floating):
        return True
    limits = np.iinfo(dtype)
    return limits.min <= value <= limits.max and value == int(value)


def to_float(raw: NDArray[Any], invalid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Float32 copy of stored values, NaN where `invalid` (broadcast to it) or infinite."""
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, then NaN
        values = raw.astype(np.float32)
    if np.issubdtype(raw.dtype, np.floating):
        values[~np.isfinite(values)] = np.nan
    if invalid.any():
        values[np.broadcast_to(invalid, values.shape)] = np.nan
    return values


def check_bands(bands: Sequence[int], band_count: int, name: str) -> None:
    """Refuse 1-based band numbers that do not exist, and an empty choice."""
    if not bands:
        raise UnusableRasterError(name, "no band was asked for")
    wrong = [band for band in bands if not 1 <= band <= band_count]
    if wrong:
        raise UnusableRasterError(name, f"there is no band {wrong[0]}; it has {band_count} (the first is 1)")
