from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rasterio.enums import Resampling

from models.pictures.copies import write_copies
from models.pictures.levels import Levels, block_means, fitted, levels_of, read_reduced, reduced_shape
from models.rasters.tiling import Window
from tests.data.make_scene import make_scene


@given(
    arrays.arrays(
        np.float32, st.tuples(st.just(2), st.integers(1, 9), st.integers(1, 9)),
        elements=st.one_of(st.floats(0, 100, width=32), st.just(np.float32(np.nan))),
    ),
    st.sampled_from([1, 2, 4, 8]),
)  # fmt: skip
def test_block_means_leave_nodata_out(values, factor):
    means = block_means(values, factor)

    rows, columns = reduced_shape(*values.shape[1:], factor)
    assert means.shape == (2, rows, columns)
    for row in range(rows):
        for column in range(columns):
            block = values[:, row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
            for band in range(2):
                valid = block[band][~np.isnan(block[band])]
                expected = valid.mean() if valid.size else np.nan
                np.testing.assert_allclose(means[band, row, column], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("height", "width", "zoom"), [(1, 1, 0), (256, 256, 0), (257, 10, 1), (1, 20_000, 7)])
def test_one_tile_holds_all_at_zoom_0(height, width, zoom):
    levels = Levels(height, width, overviews={})

    assert levels.max_zoom == zoom
    assert max(reduced_shape(height, width, 2**zoom)) <= 256


def parts(path: Path, levels: Levels, factor: int, side: int, copies: Path | None = None) -> np.ndarray:
    """The raster at a factor, put together from parts."""
    height, width = reduced_shape(levels.height, levels.width, factor)
    whole = np.full((3, height, width), -1, np.float32)
    for row in range(0, height, side):
        for column in range(0, width, side):
            window = Window(column, row, min(side, width - column), min(side, height - row))
            part = read_reduced(path, "a", [1, 2, 3], levels, factor, window, copies)
            whole[:, row : row + side, column : column + side] = part
    return whole


@pytest.mark.parametrize("nodata_as", [None, "value", "mask", "alpha"])
@pytest.mark.parametrize("factor", [1, 2, 4, 8, 16])
def test_parts_have_no_seam_with_and_without_copies(tmp_path, factor, nodata_as):
    path = make_scene(tmp_path / "a.tif", width=333, height=205, nodata_as=nodata_as)
    (tmp_path / "copies").mkdir()
    write_copies(path, "a", tmp_path / "copies")
    levels = levels_of(path, "a")
    whole = block_means(parts(path, levels, 1, 999), factor)

    np.testing.assert_allclose(parts(path, levels, factor, 16), whole, rtol=1e-5)
    copied = parts(path, levels, factor, 999, tmp_path / "copies")
    np.testing.assert_array_equal(parts(path, levels, factor, 16, tmp_path / "copies"), copied)
    np.testing.assert_array_equal(np.isnan(copied), np.isnan(whole))
    if nodata_as is None:  # at the end and beside nodata, copies are means of means
        np.testing.assert_allclose(copied[:, :-1, :-1], whole[:, :-1, :-1], rtol=1e-5)
    assert np.isnan(whole).any() == (nodata_as is not None)


@pytest.mark.parametrize("nodata_as", [None, "value", "alpha"])
def test_own_overviews_are_read_as_they_are(tmp_path, nodata_as):
    path = make_scene(tmp_path / "a.tif", width=333, height=205, dtype="uint8", nodata_as=nodata_as)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.average)
    levels = levels_of(path, "a")

    assert levels.overviews == {2: 0, 4: 1}
    with rasterio.open(path, overview_level=1) as dataset:
        stored = dataset.read([1, 2, 3])
    read = parts(path, levels, 4, 16)
    assert np.isnan(read).any() == (nodata_as is not None)
    np.testing.assert_array_equal(read[~np.isnan(read)], stored[~np.isnan(read)])


def test_overviews_of_a_raster_with_a_separate_mask_are_not_used(tmp_path):
    path = make_scene(tmp_path / "a.tif", width=333, height=205, nodata_as="mask")
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2], Resampling.nearest)

    assert levels_of(path, "a").overviews == {}


def test_copies_are_called_for_by_large_scenes_without_overviews():
    assert not Levels(2048, 2048, overviews={}).needs_copies
    assert not Levels(1, 20_000, overviews={}).needs_copies
    assert Levels(5000, 5000, overviews={}).needs_copies
    assert not Levels(5000, 5000, overviews={2: 0, 4: 1}).needs_copies


def test_fitting_keeps_the_mean_and_leaves_nodata_out():
    values = np.random.default_rng(0).uniform(0, 1, (2, 90, 60)).astype(np.float32)
    values[:, :45] = np.nan

    small = fitted(values, 60)

    assert small.shape == (2, 60, 40)
    assert np.isnan(small[:, :30]).all()
    np.testing.assert_allclose(np.nanmean(small), np.nanmean(values), rtol=1e-2)
