"""Connected regions of equal value in a raster, and their graph, in plain numpy: all values in one pass.

Pixels are neighbours over an edge, not over a corner (4-connectivity), as in the polygons that people are shown.
"""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ids


def label_regions(values: NDArray[np.integer]) -> tuple[Ids, int]:
    """Number the connected regions of equal value.

    Rows are cut into runs; runs that touch a run of equal value in the next row belong together.

    Args:
        values: Shape (H, W), not empty.

    Returns:
        Region of each pixel, shape (H, W), from 0; and the number of regions.
    """
    starts = np.ones(values.shape, np.bool_)
    np.not_equal(values[:, 1:], values[:, :-1], out=starts[:, 1:])
    runs = np.cumsum(starts, dtype=np.int64).reshape(values.shape) - 1
    contacts = (values[1:] == values[:-1]) & (starts[1:] | starts[:-1])  # the first pixel of each contact of two runs
    roots = join(int(runs[-1, -1]) + 1, runs[:-1][contacts], runs[1:][contacts])
    is_root = roots == np.arange(len(roots))
    return (np.cumsum(is_root) - 1)[roots][runs], int(np.count_nonzero(is_root))


def join(count: int, first: Ids, second: Ids) -> Ids:
    """Connected components of a graph.

    Args:
        count: Number of nodes.
        first: One end of each edge, shape (E,).
        second: The other end.

    Returns:
        Smallest node of the component of each node, shape (count,).
    """
    roots = np.arange(count)
    while True:
        first, second = roots[first], roots[second]
        apart = first != second
        if not apart.any():
            return roots
        first, second = first[apart], second[apart]
        np.minimum.at(roots, np.maximum(first, second), np.minimum(first, second))
        roots = follow(roots)


def follow(pointers: Ids) -> Ids:
    """The end of each node's chain of pointers; ends point to themselves, and there are no cycles."""
    while not np.array_equal(following := pointers[pointers], pointers):
        pointers = following
    return pointers


def region_borders(regions: Ids, of_interest: NDArray[np.bool_]) -> tuple[Ids, Ids]:
    """Pairs of regions that share an edge, each once, where at least one of the two is of interest.

    Args:
        regions: As `label_regions` gave them, shape (H, W).
        of_interest: One flag a region.

    Returns:
        The smaller and the larger number of each pair, both of shape (E,).
    """
    pairs = []
    for first, second in ((regions[:, :-1], regions[:, 1:]), (regions[:-1], regions[1:])):
        border = (first != second) & (of_interest[first] | of_interest[second])
        pairs.append((first[border], second[border]))
    return distinct_pairs(
        np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs]), len(of_interest)
    )


def distinct_pairs(first: Ids, second: Ids, count: int) -> tuple[Ids, Ids]:
    """Unordered pairs of numbers below `count`, each once, the smaller number first."""
    keys = np.sort(np.minimum(first, second) * count + np.maximum(first, second))  # far faster than numpy.unique
    keys = keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys
    return keys // count, keys % count
