"""Windows cover a scene; areas do not overlap, and no window leaves its area."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rasters.windows.grid import count, cut


@given(st.integers(1, 900), st.integers(1, 900), st.integers(32, 200), st.floats(0.0, 0.5))
def test_windows_cover_the_scene_and_keep_to_areas_that_are_apart(h: int, w: int, size: int, share: float) -> None:
    grid = cut(h, w, size, int(share * size))
    assert len({entry.window for entry in grid}) == len(grid) <= count(h, w, size, int(share * size))
    seen, areas = np.zeros((h, w), np.int32), np.zeros((h, w), np.int32)
    for (column, row, width, height), area in grid:
        seen[row : row + height, column : column + width] += 1
        assert (width, height) == (min(size, w), min(size, h))
        assert area.column <= column
        assert area.row <= row
        assert column + width <= area.column + area.width
        assert row + height <= area.row + area.height
    for column, row, width, height in {entry.area for entry in grid}:
        areas[row : row + height, column : column + width] += 1
    assert seen.min() >= 1
    assert (areas == 1).all()


@pytest.mark.parametrize(
    ("side", "size", "overlap", "windows", "areas"), [(10_000, 512, 0, 400, 25), (513, 512, 0, 4, 1)]
)
def test_number_of_windows_and_areas(side: int, size: int, overlap: int, windows: int, areas: int) -> None:
    grid = cut(side, side, size, overlap)
    assert (len(grid), len({entry.area for entry in grid})) == (windows, areas)
