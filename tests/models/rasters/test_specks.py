"""Laws of speck removal, against a labelling that is known to be right."""

import numpy as np
import pytest
import rasterio.features
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

from models.rasters.masks import codes_to_polygons
from models.rasters.regions import label_regions
from models.rasters.specks import count_vertices, merge_small_regions, remove_specks

Codes = NDArray[np.uint8]
SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24))
NO_LIMIT = 10**9


@st.composite
def masks(draw: st.DrawFn) -> tuple[Codes, NDArray[np.bool_]]:
    """Codes 0..3 and valid pixels; either may be smooth or noise."""
    shape = draw(SHAPES)
    codes = draw(arrays(np.uint8, shape, elements=st.integers(0, 3), fill=st.just(np.uint8(1))))
    valid = draw(arrays(np.bool_, shape, fill=st.just(True)))
    return codes * valid, valid


def region_sizes(codes: Codes, valid: NDArray[np.bool_]) -> list[int]:
    """Pixels of each connected region of valid pixels of one code."""
    sizes: list[int] = []
    for code in np.unique(codes):
        labels, _ = ndimage.label((codes == code) & valid)
        sizes += np.bincount(labels.ravel())[1:].tolist()
    return sizes


@given(masks())
def test_regions_are_those_that_scipy_finds(mask: tuple[Codes, NDArray[np.bool_]]) -> None:
    codes, _ = mask
    regions, count = label_regions(codes)
    everywhere = np.ones(codes.shape, np.bool_)
    assert sorted(np.bincount(regions.ravel(), minlength=count)) == sorted(region_sizes(codes, everywhere))
    assert all(len(np.unique(codes[regions == region])) == 1 for region in range(count))


@given(masks(), st.integers(1, 60))
def test_no_region_smaller_than_the_minimum_remains(mask: tuple[Codes, NDArray[np.bool_]], least: int) -> None:
    codes, valid = mask
    cleaned = merge_small_regions(codes, valid, least)
    alone, _ = ndimage.label(valid)
    big_enough = np.bincount(alone.ravel())[alone] >= least
    assert all(size >= least for size in region_sizes(cleaned, valid & big_enough))
    if not valid.all():
        assert (cleaned[~big_enough] == 0).all()  # data alone in nodata


@given(masks(), st.integers(1, 60))
def test_nodata_stays_zero_and_no_value_is_invented(mask: tuple[Codes, NDArray[np.bool_]], least: int) -> None:
    codes, valid = mask
    cleaned = merge_small_regions(codes, valid, least)
    assert (cleaned[~valid] == 0).all()
    assert set(np.unique(cleaned)) <= set(np.unique(codes))
    assert (merge_small_regions(cleaned, valid, least) == cleaned).all()


@given(masks(), st.integers(1, 60))
def test_only_specks_change(mask: tuple[Codes, NDArray[np.bool_]], least: int) -> None:
    codes, valid = mask
    cleaned = merge_small_regions(codes, valid, least)
    large = np.zeros(codes.shape, np.bool_)
    for code in np.unique(codes):
        labels, _ = ndimage.label((codes == code) & valid)
        large |= (labels > 0) & (np.bincount(labels.ravel())[labels] >= least)
    assert (cleaned[large] == codes[large]).all()
    if (large | ~valid).all():
        assert cleaned is codes


def test_speck_takes_the_code_of_its_largest_neighbour() -> None:
    codes = np.array([[1, 1, 1, 1, 2, 2], [1, 1, 1, 3, 2, 2], [1, 1, 1, 1, 2, 2]], np.uint8)
    expected = codes.copy()
    expected[1, 3] = 1
    assert (merge_small_regions(codes, None, 3) == expected).all()


def test_chessboard_becomes_one_region() -> None:
    board = (np.indices((9, 9)).sum(axis=0) % 2 + 1).astype(np.uint8)
    assert len(np.unique(merge_small_regions(board, None, 5))) == 1


@given(masks())
def test_vertices_are_those_of_the_polygons(mask: tuple[Codes, NDArray[np.bool_]]) -> None:
    codes, _ = mask
    found = 0
    for geometry, _ in rasterio.features.shapes(codes, mask=codes != 0, connectivity=4):
        found += sum(len(ring) - 1 for ring in geometry["coordinates"])
    assert count_vertices(codes) == pytest.approx(found, abs=0)


def test_noise_is_cleaned_until_it_can_be_drawn() -> None:
    noise = np.random.default_rng(0).integers(0, 4, (400, 400), np.uint8)
    assert count_vertices(noise) > 250_000
    cleaned = remove_specks(noise, None, 2, max_vertices=5_000)
    assert count_vertices(cleaned) <= 5_000
    assert len(codes_to_polygons(cleaned)) >= 1


def test_large_smooth_mask_is_left_alone() -> None:
    rows, columns = np.indices((600, 600))
    disc = ((rows - 300) ** 2 + (columns - 300) ** 2 < 250**2).astype(np.uint8)
    assert remove_specks(disc, None, 8) is disc
