"""Reduced copies of a large raster without overviews, made in one pass over it; the raster's own folder is not touched.

Float32 GeoTIFFs of all its bands, NaN where it is invalid, one file for each factor of `levels.COPY_FACTORS` that the
raster's size calls for.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetWriter
from rasterio.windows import Window as RasterWindow

from models.card import BandPolicy
from models.gdal import gdal_settings
from models.pictures.levels import COPY_FACTORS, TILE_PX, block_means, copy_file, reduced_shape
from models.rasters.bands import AS_DECLARED, BandLayout, layout_of
from models.rasters.files import allow_missing_georeference, open_file
from models.rasters.pixels import read_values

_STRIP_PX = 1024
"""Rows that are written at once, a multiple of 16 at every factor: what is written are whole blocks."""
_THREADS = 2
_READ_ROWS = 128
"""Rows that are read at once: what is worked on stays in the processor's cache."""


def write_copies(path: Path, name: str, folder: Path, policy: BandPolicy = AS_DECLARED) -> None:
    """Write the reduced copies of a raster into a folder, which exists.

    Raises:
        UnreadableRasterError: The raster is not readable or damaged.
        OSError: A copy could not be written.
    """
    allow_missing_georeference()
    with open_file(path, name) as dataset:
        layout = layout_of(dataset, policy)
        height, width, count = dataset.height, dataset.width, layout.data_bands
    shapes = [(factor, reduced_shape(height, width, factor)) for factor in COPY_FACTORS]
    wanted = [(f, s) for n, (f, s) in enumerate(shapes) if n == 0 or max(shapes[n - 1][1]) > TILE_PX]
    rows = range(0, height, _STRIP_PX)

    def read(row: int) -> NDArray[np.float32]:
        return _strip(path, name, layout, policy, row)

    with gdal_settings(), ExitStack() as stack, ThreadPoolExecutor(_THREADS, thread_name_prefix="copies") as pool:
        copies = {f: stack.enter_context(_new(copy_file(folder, f), count, *s, f)) for f, s in wanted}
        for first in range(0, len(rows), _THREADS):  # so few at once that memory does not grow with the scene
            some = rows[first : first + _THREADS]
            for row, strip in zip(some, pool.map(read, some), strict=True):
                reduced, reached = strip, COPY_FACTORS[0]
                for factor, copy in copies.items():
                    reduced, reached = block_means(reduced, factor // reached), factor
                    copy.write(reduced, window=RasterWindow(0, row // factor, copy.width, reduced.shape[1]))


def _strip(path: Path, name: str, layout: BandLayout, policy: BandPolicy, first: int) -> NDArray[np.float32]:
    """The rows from `first` on at the first factor of a copy, (C, h, w)."""
    bands = list(range(1, layout.data_bands + 1))
    with open_file(path, name) as dataset:
        last = min(first + _STRIP_PX, dataset.height)
        parts = []
        for row in range(first, last, _READ_ROWS):
            window = (0, row, dataset.width, min(_READ_ROWS, last - row))
            values = read_values(dataset, name, bands, window, None, policy=policy, layout=layout)
            parts.append(block_means(values, COPY_FACTORS[0]))
    return np.concatenate(parts, axis=1)


def _new(path: Path, count: int, height: int, width: int, factor: int) -> DatasetWriter:
    return rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=count,
        dtype="float32",
        nodata=float("nan"),
        tiled=True,
        blockxsize=TILE_PX,
        blockysize=_STRIP_PX // factor,
        interleave="band",
        bigtiff="if_safer",
    )
