import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from al_loop.serving.sam.pixel_features import pixel_features
from al_loop.serving.sam.region_growing import grow
from tests.data.examples import examples


def two_lakes():
    """Bands (3, 80, 100): dark lakes at the left and right on bright, noisy land."""
    values = 2000 + np.random.default_rng(0).normal(0, 60, (3, 80, 100))
    for columns in (slice(10, 40), slice(60, 95)):
        values[:, 20:60, columns] -= 1500
    return values.astype(np.float32)


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def test_region_is_the_thing_that_was_clicked_and_not_its_like():
    values = two_lakes()
    valid = np.ones(values.shape[1:], bool)
    features = pixel_features(values, valid, None)
    left = np.zeros_like(valid)
    left[20:60, 10:40] = True
    assert iou(grow(features, valid, np.array([[25.3, 40.7]]), min_area_px=8), left) > 0.95
    both = grow(features, valid, np.array([[25.0, 40.0], [70.0, 30.0]]), min_area_px=8)
    right = np.zeros_like(valid)
    right[20:60, 60:95] = True
    assert iou(both, left | right) > 0.95


def test_model_tells_apart_what_bands_do_not():
    values = 2000 + np.random.default_rng(1).normal(0, 60, (3, 64, 64)).astype(np.float32)
    field = np.zeros((64, 64), bool)
    field[16:48, 16:48] = True
    probabilities = np.stack([np.where(field, 0.1, 0.9), np.where(field, 0.9, 0.1)]).astype(np.float32)
    valid = np.ones((64, 64), bool)
    region = grow(pixel_features(values, valid, probabilities), valid, np.array([[30.0, 30.0]]), min_area_px=8)
    assert iou(region, field) > 0.95


def test_small_holes_are_filled_and_large_ones_kept():
    values = two_lakes()
    values[:, 30:32, 20:22] = 2000
    values[:, 40:50, 20:30] = 2000
    valid = np.ones(values.shape[1:], bool)
    region = grow(pixel_features(values, valid, None), valid, np.array([[15.0, 35.0]]), min_area_px=20)
    assert region[30:32, 20:22].all()
    assert not region[42:48, 22:28].any()


def test_invalid_pixels_belong_to_no_region():
    values = two_lakes()
    values[:, 25:27, 20:22] = np.nan
    valid = ~np.isnan(values).any(axis=0)
    region = grow(pixel_features(values, valid, None), valid, np.array([[15.0, 35.0]]), min_area_px=50)
    assert region.sum() > 1000
    assert not (region & ~valid).any()


@settings(max_examples=examples(60), deadline=None)
@given(
    values=npst.arrays(np.float32, (2, 12, 17), elements=st.sampled_from([0.0, 1.0, 500.0, -3.0, 1e30, np.nan])),
    column=st.floats(0, 16.99),
    row=st.floats(0, 11.99),
    min_area=st.integers(1, 400),
)
def test_clicked_pixel_is_inside_and_the_region_hangs_together(values, column, row, min_area):
    values[:, int(row), int(column)] = 1.0
    valid = ~np.isnan(values).any(axis=0)
    with np.errstate(over="ignore"):
        features = pixel_features(values, valid, None)
    points = np.array([[column, row]])
    region = grow(features, valid, points, min_area_px=min_area)
    assert region[int(row), int(column)]
    assert not (region & ~valid).any()
    np.testing.assert_array_equal(region, grow(features, valid, points, min_area_px=min_area))


@pytest.mark.parametrize("level", [0.0, 300.0])
def test_even_picture_is_one_region(level):
    values = np.full((3, 20, 20), level, np.float32)
    valid = np.ones((20, 20), bool)
    assert grow(pixel_features(values, valid, None), valid, np.array([[3.0, 4.0]]), min_area_px=8).all()
