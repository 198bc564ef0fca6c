"""The most uncertain regions of an image as ranked polygons."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry import mapping, shape

from al_loop.domain.geojson import PIXEL
from al_loop.domain.geojson import placed as placed_area
from al_loop.domain.samples import Sample
from al_loop.serving.uncertainty.maps import CoarseMap
from models.geo.placement import WGS84, area_m2

REGION_SHARE = 0.1
"""Share of an image's valid cells that counts as its most uncertain regions."""
LEAST_SHARE = 0.001
"""Share of the image that a region covers at least: an annotator cannot look at a speck."""
LEAST_CELLS = 4
MOST_REGIONS = 50
LEAST_OF_FIRST = 0.05
"""A region whose mean is below this share of the first one's is left out: the tenth of a sure image is sure as well."""


class Region(NamedTuple):
    """A place to look at."""

    polygon: Polygon
    """In pixel coordinates of the image."""
    uncertainty: float
    """Mean over its valid cells, in nats."""


def hot_regions(coarse: CoarseMap) -> list[Region]:
    """The most uncertain tenth of an image, highest mean first; none where the map is flat or nowhere above 0."""
    values = coarse.values
    valid = np.isfinite(values)
    if not valid.any():
        return []
    limit = max(float(np.quantile(values[valid], 1 - REGION_SHARE)), 0.0)
    hot = valid & (np.nan_to_num(values) >= limit) & (np.nan_to_num(values) > max(float(values[valid].min()), 0.0))
    least = max(LEAST_CELLS, round(LEAST_SHARE * hot.size))
    if 0 < least < hot.size:
        hot = rasterio.features.sieve(hot.astype(np.uint8), least).astype(bool) & valid
    polygons = [shape(geometry) for geometry, _ in rasterio.features.shapes(hot.astype(np.uint8), mask=hot)]
    kept = [polygon for polygon in polygons if polygon.area >= min(least, hot.size)]
    if not kept:
        return []
    numbers = rasterio.features.rasterize(zip(kept, range(1, len(kept) + 1), strict=True), hot.shape, dtype="int32")
    sums = np.bincount(numbers[valid], values[valid].astype(np.float64), len(kept) + 1)
    counts = np.bincount(numbers[valid], minlength=len(kept) + 1)
    means = sums / np.maximum(counts, 1)
    regions = [Region(_in_pixels(polygon, coarse), float(means[n])) for n, polygon in enumerate(kept, start=1)]
    regions.sort(key=lambda region: region.uncertainty, reverse=True)
    least_mean = LEAST_OF_FIRST * regions[0].uncertainty
    return [region for region in regions[:MOST_REGIONS] if region.uncertainty >= least_mean]


def region_collection(sample: Sample, version: str, regions: Sequence[Region]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection (RFC 7946) of ranked regions.

    Coordinates are EPSG:4326, or pixels (column, row) for an image whose place is unknown, which `properties.crs` says.
    """
    return {
        "type": "FeatureCollection",
        "name": f"uncertainty of {sample.path} by {version}",
        "features": [_feature(sample, rank, region) for rank, region in enumerate(regions, start=1)],
    }


def _feature(sample: Sample, rank: int, region: Region) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "name": f"region {rank}",
        "rank": rank,
        "uncertainty": round(region.uncertainty, 6),
        "area_px": region.polygon.area,
    }
    if sample.crs is not None and sample.transform is not None:
        placed = placed_area(region.polygon, sample)
        if placed is not None:
            size = area_m2(region.polygon, sample.crs, sample.transform)
            geometry = placed.geoms[0] if len(placed.geoms) == 1 else placed
            located = properties | {"area_m2": None if size is None else round(size, 1), "crs": WGS84}
            return {"type": "Feature", "geometry": mapping(geometry), "properties": located}
    return {"type": "Feature", "geometry": mapping(region.polygon), "properties": properties | {"crs": PIXEL}}


def _in_pixels(polygon: Polygon, coarse: CoarseMap) -> Polygon:
    """A polygon in cells, whose corners are cell corners, in pixels."""

    def stretch(corners: NDArray[np.float64]) -> NDArray[np.int64]:
        columns, rows = corners.astype(np.int64).T
        return np.column_stack([coarse.column_edges[columns], coarse.row_edges[rows]])

    return shapely.transform(polygon, stretch)
