"""Clean a predicted mask before a person sees it: small regions go, every other border stays where it is.

Not GDAL's sieve (`rasterio.features.sieve`): it leaves regions alone that have no large neighbour, so noise stays
noise. Of a noisy mask of 1024 x 1024 px it left polygons of 985,326 vertices, of 1,917,064 with a higher threshold;
here no small region remains.
"""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ids
from models.card import BACKGROUND
from models.rasters.regions import distinct_pairs, follow, label_regions, region_borders

MAX_VERTICES = 250_000
"""Vertices of a mask's polygons at most: SCANEO draws about 49,000 a second, and nobody waits over 5 s for noise."""

_VERTICES_PER_CORNER = 4
_NODATA = 255
"""Stands for invalid pixels while regions are separated; codes of classes end at 254."""


def remove_specks(
    codes: NDArray[np.uint8],
    valid: NDArray[np.bool_] | None,
    min_area_px: int,
    *,
    max_vertices: int = MAX_VERTICES,
) -> NDArray[np.uint8]:
    """Merge regions smaller than `min_area_px` into their largest neighbour.

    While the polygons of the result have more than `max_vertices`, the minimum area is doubled.

    Args:
        codes: Class codes 0..254 of shape (H, W).
        valid: Pixels of shape (H, W) that the image has data for; None: all. The others are 0 and stay so.
        min_area_px: Least number of pixels of a region; 1 removes nothing unless there are too many vertices.
        max_vertices: Bound on `count_vertices` of the result.

    Returns:
        Codes of shape (H, W); `codes` itself where nothing had to change. No region of valid pixels is smaller than
        the minimum, unless the whole image is. Data that lies alone in nodata and is smaller becomes 0.
    """
    cleaned = merge_small_regions(codes, valid, min_area_px)
    if _VERTICES_PER_CORNER * (codes.shape[0] + 1) * (codes.shape[1] + 1) <= max_vertices:
        return cleaned
    while min_area_px < codes.size and count_vertices(cleaned) > max_vertices:
        min_area_px *= 2
        cleaned = merge_small_regions(cleaned, valid, min_area_px)
    return cleaned


def merge_small_regions(
    codes: NDArray[np.uint8], valid: NDArray[np.bool_] | None, min_area_px: int
) -> NDArray[np.uint8]:
    """One pass of `remove_specks`, with a fixed minimum."""
    if min_area_px <= 1 or not codes.size:
        return codes
    regions, count = label_regions(codes if valid is None else np.where(valid, codes, np.uint8(_NODATA)))
    flat = regions.reshape(-1)
    sizes = np.bincount(flat, minlength=count)
    values = np.zeros(count, np.uint8)
    values[flat] = codes.reshape(-1)
    has_data = np.ones(count, np.bool_)
    if valid is not None:
        has_data[flat] = valid.reshape(-1)
    if not (has_data & (sizes < min_area_px)).any():
        return codes
    targets = _merged(regions, sizes, has_data, min_area_px)
    final = values[targets]
    left_alone = (np.bincount(targets, weights=sizes, minlength=count)[targets] < min_area_px) & has_data
    if not has_data.all():
        final[left_alone] = BACKGROUND
    merged: NDArray[np.uint8] = final[regions]
    return merged


def count_vertices(codes: NDArray[np.uint8]) -> int:
    """Vertices of the polygons that outline every code but 0 along pixel edges, holes included, closing points not.

    Args:
        codes: Shape (H, W).
    """
    around = np.pad(codes, 1)
    across = around[:, 1:] == around[:, :-1]  # (H+2, W+1): equal to the pixel on the right
    down = around[1:] == around[:-1]  # (H+1, W+2): equal to the pixel below
    total = 0
    for row in (0, 1):  # which pixel of the four around a corner is looked from
        for column in (0, 1):
            beside, above = across[row : row + len(down)], down[:, column : column + across.shape[1]]
            own = around[row : row + len(down), column : column + across.shape[1]]
            opposite = around[1 - row : 1 - row + len(down), 1 - column : 1 - column + across.shape[1]]
            outward = ~beside & ~above
            inward = beside & above & (own != opposite)
            total += int(np.count_nonzero((outward | inward) & (own != BACKGROUND)))
    return total


def _merged(regions: Ids, sizes: NDArray[np.int64], has_data: NDArray[np.bool_], min_area_px: int) -> Ids:
    """The region that each region becomes part of.

    All small regions point to their largest neighbour at once, and chains of them are followed (Boruvka's way to a
    spanning forest), until no small region has a neighbour with data.
    """
    count = len(sizes)
    targets = np.arange(count)
    sizes = sizes.copy()
    first, second = region_borders(regions, has_data & (sizes < min_area_px))
    kept = has_data[first] & has_data[second]
    first, second = first[kept], second[kept]
    while len(first):
        pointers = _largest_neighbours(first, second, sizes, min_area_px)
        targets = pointers[targets]
        sizes = np.bincount(pointers, weights=sizes, minlength=count).astype(np.int64)
        first, second = pointers[first], pointers[second]
        kept = (first != second) & ((sizes[first] < min_area_px) | (sizes[second] < min_area_px))
        first, second = distinct_pairs(first[kept], second[kept], count)
    return targets


def _largest_neighbours(first: Ids, second: Ids, sizes: NDArray[np.int64], min_area_px: int) -> Ids:
    """Where each region goes: a small one with the chain of largest neighbours, any other nowhere."""
    source, neighbour = np.concatenate([first, second]), np.concatenate([second, first])
    small = sizes[source] < min_area_px
    source, neighbour = source[small], neighbour[small]
    count = len(sizes)
    rank = sizes * count + np.arange(count)[::-1]  # of equally large regions the first wins; no two ranks are equal
    best = np.full(count, -1)
    np.maximum.at(best, source, rank[neighbour])
    nodes = np.arange(count)
    pointers = np.where(best < 0, nodes, count - 1 - best % count)
    stays = (pointers[pointers] == nodes) & (rank > rank[pointers])  # of two that chose each other one has to stay
    return follow(np.where(stays, nodes, pointers))
