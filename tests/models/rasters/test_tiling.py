import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rasters.tiling import grid_and_overlap, tiles


@st.composite
def plans(draw):
    stride = draw(st.sampled_from([1, 4, 32]))
    tile = stride * draw(st.integers(1, 6))
    overlap = stride * draw(st.integers(0, tile // stride - 1))
    sides = st.integers(1, min(400, 6 * tile))
    return draw(sides), draw(sides), tile, overlap, stride


@given(plans())
def test_write_windows_cover_the_image_exactly_once(plan):
    height, width, *_ = plan
    times = np.zeros((height, width), int)

    for tile in tiles(*plan):
        column, row, w, h = tile.write
        times[row : row + h, column : column + w] += 1
        assert w > 0
        assert h > 0

    assert (times == 1).all()


@given(plans())
def test_read_windows_lie_in_the_image_on_the_grid_and_pad_to_one_size(plan):
    height, width, tile_px, _, stride = plan
    sizes = set()

    for tile in tiles(*plan):
        column, row, w, h = tile.read
        assert 0 <= column < column + w <= width
        assert 0 <= row < row + h <= height
        assert max(w, h) <= tile_px
        assert column % stride == row % stride == 0
        sizes.add((-(-w // stride), -(-h // stride)))

    assert len(sizes) == 1


@given(plans())
def test_every_pixel_is_seen_with_its_surroundings(plan):
    height, width, _, overlap, _ = plan

    for tile in tiles(*plan):
        for axis, length in ((0, width), (1, height)):
            before = tile.write[axis] - tile.read[axis]
            after = tile.read[axis] + tile.read[axis + 2] - tile.write[axis] - tile.write[axis + 2]
            assert before >= overlap // 2 or tile.write[axis] == 0
            assert after >= overlap // 2 or tile.write[axis] + tile.write[axis + 2] == length


@pytest.mark.parametrize("plan", [(0, 5, 4, 0, 1), (5, 5, 4, 4, 1), (5, 5, 6, 2, 4), (5, 5, 8, 2, 4)])
def test_sizes_that_do_not_fit_are_refused(plan):
    with pytest.raises(ValueError, match="px"):
        list(tiles(*plan))


@pytest.mark.parametrize(
    ("tile_px", "stride_px", "expected"), [(512, 32, (32, 128)), (256, 256, (1, 64)), (400, 200, (1, 100))]
)
def test_tiles_of_a_model_overlap_by_a_quarter_also_where_it_takes_one_size_only(tile_px, stride_px, expected):
    assert grid_and_overlap(tile_px, stride_px) == expected
    grid, overlap = expected
    for tile in tiles(700, 900, tile_px, overlap, grid):
        assert (tile.read.width, tile.read.height) == (tile_px, tile_px) or grid == stride_px
