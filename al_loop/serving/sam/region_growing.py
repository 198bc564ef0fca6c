"""Grow a region from clicked points: what looks like the place that was clicked, and hangs together with it.

Seeded region growing (Adams and Bischof 1994, doi 10.1109/34.295913) in one step: the threshold between "like the seed"
and "unlike it" is Otsu's (1979, doi 10.1109/TSMC.1979.4310076) on the distances of all pixels around.
"""

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

SEED_REACH = 1
"""A seed is the mean of the pixels at most this far from the point: 3 x 3."""
NEIGHBOURHOOD_PX = 128
"""The threshold is sought in the distances of pixels at most this far from the point."""
LEAST_SHARE, MOST_SHARE = 0.02, 0.6
"""The threshold lets at least and at most these shares of the pixels around the point in."""
HISTOGRAM_BINS = 256


def grow(
    features: NDArray[np.float32], valid: NDArray[np.bool_], points: NDArray[np.float64], *, min_area_px: int = 1
) -> NDArray[np.bool_]:
    """The union of the regions of all points. Deterministic.

    Args:
        features: Shape (F, H, W), finite, on comparable scales; all bands count alike.
        valid: Shape (H, W); what is not valid belongs to no region.
        points: Shape (N, 2), column and row; each on a valid pixel.
        min_area_px: Holes smaller than this are filled, and such specks are no bridge to what lies behind.

    Returns:
        Shape (H, W); True at each point's pixel.
    """
    region = np.zeros(valid.shape, np.bool_)
    for column, row in np.floor(points).astype(np.int64):
        region |= _grown(features, valid, int(row), int(column), min_area_px)
    return region


def _grown(
    features: NDArray[np.float32], valid: NDArray[np.bool_], row: int, column: int, min_area_px: int
) -> NDArray[np.bool_]:
    seed = _around(row, column, SEED_REACH)
    inside = valid[seed]
    centre = features[:, *seed][:, inside].mean(axis=1)  # (F,)
    squares = np.square(features - centre[:, None, None]).mean(axis=0, dtype=np.float32)
    distances = _smoothed(np.sqrt(squares), valid)
    near = _around(row, column, NEIGHBOURHOOD_PX)
    like = valid & (distances <= _threshold(distances[near][valid[near]]))
    like[seed] |= inside
    if 1 < min_area_px < like.size:
        sieved = rasterio.features.sieve(like.astype(np.uint8), min_area_px, mask=valid)
        like = np.asarray(sieved, np.bool_) & valid
        like[seed] |= inside
    return _component(like, row, column)


def _around(row: int, column: int, reach: int) -> tuple[slice, slice]:
    return (
        slice(max(0, row - reach), row + reach + 1),
        slice(max(0, column - reach), column + reach + 1),
    )


def _smoothed(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Mean of the valid pixels of each 3 x 3 square."""
    sums = _box_sums(np.where(valid, values, 0).astype(np.float32))
    counts = np.maximum(_box_sums(valid.astype(np.float32)), 1)
    return np.asarray(sums / counts, np.float32)


def _box_sums(values: NDArray[np.float32]) -> NDArray[np.float32]:
    padded = np.pad(values, 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    sums: NDArray[np.float32] = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    return sums


def _threshold(distances: NDArray[np.float32]) -> float:
    """Otsu's threshold of distances (N,), within the shares of pixels that it may let in."""
    low, high = np.quantile(distances, [LEAST_SHARE, MOST_SHARE])
    counts, edges = np.histogram(distances, HISTOGRAM_BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * np.square(sums / below - (sums[-1] - sums) / above)  # variance between the two sides
    best = edges[1 + int(np.argmax(np.nan_to_num(between)))]
    return float(np.clip(best, low, high))


def _component(mask: NDArray[np.bool_], row: int, column: int) -> NDArray[np.bool_]:
    """The part of a mask that hangs together, by pixels' sides, with one of its pixels."""
    middle = shapely.Point(column + 0.5, row + 0.5)
    for geometry, _ in rasterio.features.shapes(mask.astype(np.uint8), mask=mask, connectivity=4):
        outer, *holes = geometry["coordinates"]
        xs, ys = zip(*outer, strict=True)
        if min(xs) < middle.x < max(xs) and min(ys) < middle.y < max(ys):
            polygon = shapely.Polygon(outer, holes)
            if polygon.contains(middle):
                component = rasterio.features.rasterize([polygon], mask.shape, dtype="uint8")
                return np.asarray(component, np.bool_)
    raise AssertionError("every True pixel lies in one of the shapes")
