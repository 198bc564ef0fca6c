"""How much of each window of a scene is nodata, in one pass over the file."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.card import BandPolicy
from models.rasters.bands import AS_DECLARED, invalid_pixels, layout_of
from models.rasters.files import open_file
from models.rasters.pixels import read_values, rules_out_invalid
from models.rasters.tiling import Window

_READ_VALUES = 2**24
"""Values that are read at once: 64 MiB as float32."""


def nodata_shares(
    path: Path, name: str, windows: Sequence[Window], bands: Sequence[int] | None, policy: BandPolicy = AS_DECLARED
) -> NDArray[np.float64]:
    """Share of the pixels of each window that are invalid, 0 to 1.

    Args:
        path: The scene, whole.
        name: What messages call it.
        windows: Inside it, by row.
        bands: 1-based bands that are looked at; None: all. A pixel is invalid where all of them are.
        policy: How bands are read, and what nodata means.

    Returns:
        Shape (N,); zeros where the header says that no pixel is invalid, and nothing is read then.

    Raises:
        UnreadableRasterError: The file is not readable or damaged, or went away while it was read.
    """
    shares = np.zeros(len(windows), np.float64)
    with open_file(path, name) as dataset:
        if rules_out_invalid(dataset, policy):
            return shares
        asked = list(bands) if bands is not None else list(range(1, layout_of(dataset, policy).data_bands + 1))
        place = 0
        for (row, height), some in groupby(windows, lambda window: (window.row, window.height)):
            members = list(some)
            counted = np.zeros(dataset.width + 1, np.int64)
            for top, rows in _parts(height, dataset.width * max(len(asked), dataset.count)):
                values = read_values(dataset, name, asked, (0, row + top, dataset.width, rows), None, policy=policy)
                counted[1:] += invalid_pixels(values).sum(axis=0)
            total = np.cumsum(counted)
            for window in members:
                inside = total[window.column + window.width] - total[window.column]
                shares[place] = inside / (window.width * window.height)
                place += 1
    return shares


def _parts(height: int, row_values: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of parts that fit into memory."""
    rows = max(1, _READ_VALUES // row_values)
    for top in range(0, height, rows):
        yield top, min(rows, height - top)
