"""Samples are cut into cells; what an encoder sees of one is centred on it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.scoring.cells.grid import CROP_PX, CellGrid, crop_around, crop_reach, cut_cells

SIDES = st.integers(1, 700)


@given(SIDES, SIDES, st.sampled_from([8, 3, None]))
def test_cells_cover_a_sample_once(height, width, most):
    seen = np.zeros((height, width), int)
    cells = cut_cells(height, width, CellGrid(most=most))
    for row, column, rows, columns in cells.tolist():
        seen[row : row + rows, column : column + columns] += 1
        assert rows >= min(32, height)
        assert columns >= min(32, width)
    assert (seen == 1).all()
    assert cells[:, :2].tolist() == sorted(cells[:, :2].tolist())
    if most is not None:
        assert len(np.unique(cells[:, 0])) <= most
        assert len(np.unique(cells[:, 1])) <= most


@given(SIDES, SIDES, st.data())
def test_crops_lie_in_the_image_and_fill_a_square_around_their_cell(height, width, data):
    cells = cut_cells(height, width, CellGrid())
    cell = data.draw(st.sampled_from(cells.tolist()))
    reach = crop_reach(cells)
    side = min(reach, CROP_PX)
    (column, row, columns, rows), shape, padding = crop_around(np.array(cell), height, width, reach=reach, side=side)
    assert 0 <= row < row + rows <= height
    assert 0 <= column < column + columns <= width
    assert [size + sum(missing) for size, missing in zip(shape, padding, strict=True)] == [side, side]
    assert min(shape) >= 1
    assert min(min(missing) for missing in padding) >= 0
    assert row <= cell[0] + cell[2] // 2 < row + rows
    if side == reach:
        assert shape == (rows, columns)
        assert row - padding[0][0] + reach // 2 == cell[0] + cell[2] // 2


def test_small_cells_are_seen_with_the_pixels_that_an_encoder_takes_without_padding():
    reaches = {16: 32, 32: 64, 47: 64, 48: 96, 64: 128, 200: 400}
    assert {side: crop_reach(np.array([[0, 0, side, side]])) for side in reaches} == reaches
