import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from models.rasters.masks import codes_to_polygons, polygons_to_codes

codes_arrays = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.sampled_from([0, 1, 2, 255])
)


@given(codes_arrays)
def test_codes_round_trip_through_polygons(codes):
    polygons = codes_to_polygons(codes)

    assert all(geometry.is_valid for _, geometry in polygons)
    painted = polygons_to_codes([(code, shapely.to_wkb(geometry)) for code, geometry in polygons], *codes.shape)
    np.testing.assert_array_equal(painted, codes)


@given(codes_arrays)
def test_polygon_area_is_the_number_of_pixels(codes):
    for code, geometry in codes_to_polygons(codes):
        assert geometry.area == np.count_nonzero(codes == code)


def test_polygons_are_painted_in_order():
    below = shapely.to_wkb(shapely.box(0, 0, 4, 4))
    above = shapely.to_wkb(shapely.box(2, 0, 4, 2))

    codes = polygons_to_codes([(1, below), (2, above)], 4, 6, fill=255)

    expected = np.array([[1, 1, 2, 2, 255, 255]] * 2 + [[1, 1, 1, 1, 255, 255]] * 2, np.uint8)
    np.testing.assert_array_equal(codes, expected)


def test_pixel_belongs_to_the_polygon_around_its_centre():
    codes = polygons_to_codes([(7, shapely.to_wkb(shapely.box(0.4, 0.6, 2.6, 2)))], 2, 3)

    np.testing.assert_array_equal(codes, [[0, 0, 0], [7, 7, 7]])


def test_polygons_outside_and_empty_paint_nothing():
    outside = shapely.to_wkb(shapely.box(100, 100, 120, 120))
    empty = shapely.to_wkb(shapely.Polygon())

    codes = polygons_to_codes([(1, outside), (2, empty)], 3, 3, fill=5)

    np.testing.assert_array_equal(codes, np.full((3, 3), 5))
