import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from al_loop.campaigns.importing.boxes import Box
from al_loop.campaigns.importing.labelling_tools.brush import runs_of
from al_loop.campaigns.importing.labelling_tools.shapes import (
    BadShapeError,
    Shape,
    ellipse,
    line,
    mask_runs,
    point,
    polygon,
    rectangle,
)
from models.rasters.masks import polygons_to_codes


@given(st.data(), st.integers(1, 9), st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
def test_mask_painted_from_its_outlines_is_the_mask(
    data: st.DataObject, width: int, height: int, left: int, top: int
) -> None:
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height)))
    whole = runs_of(mask, width, height)
    features = Shape("a", mask_runs(left, top, width, height, whole.counts)).features()
    painted = polygons_to_codes([(1, shapely.to_wkb(shape(entry["geometry"]))) for entry in features], 16, 16)
    expected = np.zeros((16, 16), np.uint8)
    expected[top : top + height, left : left + width] = mask.reshape(height, width)
    assert np.array_equal(painted, expected)


@given(st.floats(-720, 720), st.floats(0.5, 50), st.floats(0.5, 50))
def test_turning_keeps_the_area_and_the_pivot(degrees: float, width: float, height: float) -> None:
    turned = shape(rectangle(3, 4, 3 + width, 4 + height, (3, 4), degrees))
    assert turned.area == pytest.approx(width * height)
    assert turned.exterior.coords[0] == pytest.approx((3, 4))
    assert shape(ellipse(3, 4, width, height, degrees)).centroid.coords[0] == pytest.approx((3, 4))


def test_bounds_are_those_of_the_pixels_or_corners() -> None:
    counts = np.array([1, 1, 2, 2])  # .x. / .xx
    assert Shape("a", mask_runs(4, 2, 3, 2, counts)).box() == Box("a", 5, 2, 7, 4)
    assert Shape("a", polygon([(1, 1), (5, 2), (3, 7)])).box() == Box("a", 1, 1, 5, 7)
    assert Shape("a", mask_runs(0, 0, 2, 2, np.array([4]))).box() == "a mask of no pixel"
    assert Shape("a", point(1, 1)).box() == "a Point has no box"


def test_what_has_no_area_or_place_is_refused() -> None:
    with pytest.raises(BadShapeError, match="a line of one position"):
        line([(1, 1)])
    with pytest.raises(BadShapeError, match="is no place"):
        point(float("nan"), 1)
    with pytest.raises(BadShapeError, match="without area"):
        ellipse(1, 1, 0, 2, 0)
