"""Write a raster of values window by window as a cloud-optimised GeoTIFF, so that a scene need not fit in memory."""

import errno
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.io import DatasetWriter
from rasterio.transform import Affine
from rasterio.windows import Window as RasterWindow

from models.gdal import gdal_settings
from models.rasters.crs import crs_of
from models.rasters.files import allow_missing_georeference
from models.rasters.opening.faults import GDAL_ERRORS
from models.rasters.tiling import Window

BLOCK_PX = 512
"""Side of a block of the file; a larger raster gets overviews, each half as large as the one before."""

_FULL_BYTES = 2**20
"""Less is free once a write has failed for lack of room."""

_COG_OPTIONS = {
    "BLOCKSIZE": BLOCK_PX,
    "COMPRESS": "DEFLATE",
    "LEVEL": 1,  # the default takes twice as long to save 2 per cent of noise
    "PREDICTOR": "YES",
    "STATISTICS": "YES",  # a GIS stretches the colours without reading the file twice
    "NUM_THREADS": "2",
}


class ValueWriter:
    """Takes the windows of one raster in any order; pixels that are not written are NaN."""

    def __init__(self, dataset: DatasetWriter) -> None:
        self._dataset = dataset

    def write(self, window: Window, values: NDArray[Any]) -> None:
        """Write one window; values of shape (height, width), or (bands, height, width)."""
        place = RasterWindow(window.column, window.row, window.width, window.height)
        bands = values[None] if values.ndim == 2 else values
        self._dataset.write(bands, window=place)


@contextmanager
def _full_disk_told(folder: Path) -> Iterator[None]:
    """GDAL says in many words that it could not write, and in none that the disk is full."""
    try:
        yield
    except GDAL_ERRORS as error:
        if shutil.disk_usage(folder).free < _FULL_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


@contextmanager
def open_cog(
    path: Path,
    height: int,
    width: int,
    *,
    crs: str | None,
    transform: Sequence[float] | None,
    description: str | Sequence[str],
    unit: str,
    tags: Mapping[str, str],
    dtype: str = "float32",
    nodata: float | None = math.nan,
    overviews: Literal["AVERAGE", "MODE"] = "AVERAGE",
    palette: Sequence[str] = (),
) -> Iterator[ValueWriter]:
    """Write a GeoTIFF; it is a COG at `path` when the block ends without an error.

    The layout of a COG is known only at the end: windows go to an uncompressed file beside it first.

    Args:
        path: Where to; must not exist.
        height: Rows.
        width: Columns.
        crs: `EPSG:n` or WKT; None: no CRS.
        transform: a, b, c, d, e, f; None: no transform.
        description: What the band shows, or each of several; a GIS lists it as the band's name.
        unit: Of the values.
        tags: Further metadata of the file.
        dtype: Of the values.
        nodata: Value of pixels without one, and of those that are never written; None: all have one, and 0 is written.
        overviews: How reduced pixels are made: MODE for codes, of which there is no mean.
        palette: `#rrggbb` of the values from 1, of one band of uint8; 0 is black. Empty: no colour table.

    Raises:
        OSError: The disk is full.
    """
    descriptions = [description] if isinstance(description, str) else list(description)
    allow_missing_georeference()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, _full_disk_told(Path(folder)), gdal_settings():
        draft = Path(folder) / "values.tif"
        with rasterio.open(
            draft,
            "w",
            driver="GTiff",
            width=width,
            height=height,
            count=len(descriptions),
            dtype=dtype,
            nodata=nodata,
            crs=None if crs is None else crs_of(crs),
            transform=None if transform is None else Affine(*transform),
            tiled=True,
            blockxsize=BLOCK_PX,
            blockysize=BLOCK_PX,
            sparse_ok=True,
            bigtiff="if_safer",
        ) as dataset:
            for band, said in enumerate(descriptions, start=1):
                dataset.set_band_description(band, said)
            dataset.units = (unit,) * len(descriptions)
            dataset.update_tags(**tags)
            if palette:
                table = {value: (*bytes.fromhex(text[1:]), 255) for value, text in enumerate(palette, start=1)}
                dataset.write_colormap(1, {0: (0, 0, 0, 255), **table})
            yield ValueWriter(dataset)
        rasterio.shutil.copy(draft, path, driver="COG", **_COG_OPTIONS, OVERVIEW_RESAMPLING=overviews)
