"""Between class codes (uint8 rasters) and polygons in pixel coordinates: x = column, y = row, origin at the upper left.

A pixel belongs to the polygon that its centre lies in, as in GDAL's rasterisation.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from models.errors import UnreadableRasterError
from models.gdal import gdal_settings
from models.rasters.crs import crs_of
from models.rasters.files import allow_missing_georeference, open_file
from models.rasters.opening.sizes import check_size


def polygons_to_codes(
    polygons: Sequence[tuple[int, bytes]], height: int, width: int, fill: int = 0, *, scale: int = 1
) -> NDArray[np.uint8]:
    """Paint polygons in order, the last on top.

    Args:
        polygons: Code (0..255) and WKB geometry of each, in pixel coordinates; parts outside of the raster are cut.
        height: Rows.
        width: Columns.
        fill: Code of pixels inside no polygon.
        scale: Codes for each pixel along each side; one belongs to the polygon that the centre of its part lies in.

    Returns:
        Shape (scale * H, scale * W).
    """
    shapes = [(geometry, code) for code, wkb in polygons if not (geometry := shapely.from_wkb(wkb)).is_empty]
    codes = np.full((scale * height, scale * width), fill, np.uint8)
    if shapes and codes.size:
        allow_missing_georeference()
        with gdal_settings():
            rasterio.features.rasterize(shapes, out=codes, transform=Affine.scale(1 / scale))
    return codes


def codes_to_polygons(codes: NDArray[np.uint8]) -> list[tuple[int, shapely.Polygon | shapely.MultiPolygon]]:
    """Outline every code but 0; the exact inverse of `polygons_to_codes` with fill 0.

    Args:
        codes: Shape (H, W).

    Returns:
        One valid geometry a code, in ascending order of codes; corners are pixel corners.
    """
    parts: dict[int, list[shapely.Polygon]] = {}
    allow_missing_georeference()
    with gdal_settings():
        for geometry, code in rasterio.features.shapes(codes, mask=codes != 0, connectivity=4):
            rings = geometry["coordinates"]
            parts.setdefault(int(code), []).append(shapely.Polygon(rings[0], rings[1:]))
    return [
        (code, found[0] if len(found) == 1 else shapely.MultiPolygon(found)) for code, found in sorted(parts.items())
    ]


def touched_pixels(polygons: Sequence[bytes], *, centres: bool, first: bool = False) -> NDArray[np.int64]:
    """Pixels that polygons cover.

    Args:
        polygons: WKB in pixel coordinates.
        centres: True: pixels whose centre lies inside; False: every pixel that is touched (GDAL's `all_touched`).
        first: Stop after the first rows that have any.

    Returns:
        Column and row of each, shape (N, 2).
    """
    area = shapely.union_all([shapely.from_wkb(wkb) for wkb in polygons])
    left, top, right, bottom = (int(edge) for edge in (*np.floor(area.bounds[:2]), *np.ceil(area.bounds[2:])))
    found = []
    allow_missing_georeference()
    for start in range(top, max(bottom, top + 1), _ROWS_AT_ONCE):
        shape = (min(_ROWS_AT_ONCE, max(bottom, top + 1) - start), max(right - left, 1))
        with gdal_settings():
            covered = rasterio.features.rasterize(
                [area], shape, transform=Affine.translation(left, start), all_touched=not centres, dtype=np.uint8
            )
        rows, columns = np.nonzero(covered)
        found.append(np.column_stack([columns + left, rows + start]))
        if first and len(rows):
            break
    return np.concatenate(found)


_ROWS_AT_ONCE = 256
MAX_MASK_PX = 2**28
"""A mask is read whole; the cut of a scene for training is far smaller."""


def read_codes(path: Path) -> NDArray[np.uint8]:
    """Read a mask's class codes as stored, whatever its nodata value says.

    Args:
        path: One-band GeoTIFF or PNG of whole numbers from 0 to 255. JPEG is refused: it blurs codes.

    Returns:
        Codes of shape (H, W).

    Raises:
        UnreadableRasterError: Not such a file, truncated, or with values outside 0..255.
        RasterTooLargeError: The header claims more than `MAX_MASK_PX` pixels.
    """
    name = path.name
    with open_file(path, name) as dataset:
        if dataset.driver == "JPEG":
            raise UnreadableRasterError(name, "a mask must be a GeoTIFF or PNG; JPEG blurs class codes")
        if dataset.count != 1:
            raise UnreadableRasterError(name, f"a mask has one band of class codes, not {dataset.count}")
        check_size(dataset, name, max_bytes=8 * MAX_MASK_PX, max_values=MAX_MASK_PX)
        values = dataset.read(1)
    if np.iscomplexobj(values) or not np.all((values >= 0) & (values <= 255)):
        raise UnreadableRasterError(name, "a mask holds class codes from 0 to 255")
    codes: NDArray[np.uint8] = values.astype(np.uint8)
    if not np.array_equal(codes, values):
        raise UnreadableRasterError(name, "a mask holds whole numbers, not fractions")
    return codes


def encode_codes(codes: NDArray[np.uint8], crs: str | None, transform: Sequence[float] | None) -> bytes:
    """One-band uint8 GeoTIFF of class codes, uncompressed.

    Args:
        codes: Shape (H, W).
        crs: `EPSG:n` or WKT; None: no CRS.
        transform: a, b, c, d, e, f; None: no transform.
    """
    height, width = codes.shape
    allow_missing_georeference()
    with gdal_settings(), MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=width,
            height=height,
            count=1,
            dtype="uint8",
            blockysize=height,
            crs=None if crs is None else crs_of(crs),
            transform=None if transform is None else Affine(*transform),
        ) as dataset:
            dataset.write(codes, 1)
        return bytes(memory.getbuffer())
