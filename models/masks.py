"""Between class codes (uint8 rasters) and polygons in pixel coordinates: x = column, y = row, origin at the upper left.

A pixel belongs to the polygon that its centre lies in, as in GDAL's rasterisation.
"""

from collections.abc import Sequence

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.env import Env

from models.raster_files import allow_missing_georeference


def polygons_to_codes(
    polygons: Sequence[tuple[int, bytes]], height: int, width: int, fill: int = 0
) -> NDArray[np.uint8]:
    """Paint polygons in order, the last on top.

    Args:
        polygons: Code (0..255) and WKB geometry of each, in pixel coordinates; parts outside of the raster are cut.
        height: Rows.
        width: Columns.
        fill: Code of pixels inside no polygon.

    Returns:
        Shape (H, W).
    """
    shapes = [(geometry, code) for code, wkb in polygons if not (geometry := shapely.from_wkb(wkb)).is_empty]
    codes = np.full((height, width), fill, np.uint8)
    if shapes and codes.size:
        allow_missing_georeference()
        with Env():
            rasterio.features.rasterize(shapes, out=codes)
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
    with Env():
        for geometry, code in rasterio.features.shapes(codes, mask=codes != 0, connectivity=4):
            rings = geometry["coordinates"]
            parts.setdefault(int(code), []).append(shapely.Polygon(rings[0], rings[1:]))
    return [
        (code, found[0] if len(found) == 1 else shapely.MultiPolygon(found)) for code, found in sorted(parts.items())
    ]
