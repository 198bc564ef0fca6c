import numpy as np
import pytest
import rasterio.warp
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from models.geo.placement import area_m2, near_longitude, place, polygons_only, reprojected

ROTATED = [8.0, -6.0, 500_000.0, -6.0, -8.0, 4_600_000.0]
PLACES = {
    "utm": ("EPSG:32631", [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0]),
    "geographic": ("EPSG:4326", [1e-4, 0.0, 2.0, 0.0, -1e-4, 41.0]),
    "mercator": ("EPSG:3857", [10.0, 0.0, 200_000.0, 0.0, -10.0, 5_000_000.0]),
    "rotated": ("EPSG:32631", ROTATED),
    "south up": ("EPSG:32631", [10.0, 0.0, 500_000.0, 0.0, 10.0, 4_600_000.0]),
    "polar": ("EPSG:3031", [100.0, 0.0, -500_000.0, 0.0, -100.0, -1_500_000.0]),
}
HOLED = shapely.Polygon([(0, 0), (60, 0), (60, 40), (0, 40)], [[(10, 10), (20, 10), (20, 20), (10, 20)]])


@pytest.mark.parametrize("name", PLACES)
def test_placed_area_follows_rfc_7946(name):
    placed = place(HOLED, *PLACES[name])
    assert placed.is_valid
    assert len(placed.geoms) == 1
    assert placed.geoms[0].exterior.is_ccw
    assert not placed.geoms[0].interiors[0].is_ccw
    left, bottom, right, top = placed.bounds
    assert -180 <= left < right <= 180
    assert -90 <= bottom < top <= 90


@given(column=st.floats(0.5, 299), row=st.floats(0.5, 199), name=st.sampled_from(["utm", "mercator", "rotated"]))
def test_point_inside_an_area_lies_inside_it_on_earth(column, row, name):
    crs, (a, b, c, d, e, f) = PLACES[name]
    placed = place(shapely.box(0, 0, 300, 200), crs, [a, b, c, d, e, f])
    (x,), (y,) = rasterio.warp.transform(crs, "EPSG:4326", [a * column + b * row + c], [d * column + e * row + f])
    assert placed.contains(shapely.Point(x, y))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32601", [10.0, 0.0, 299_000.0, 0.0, -10.0, 50_000.0]),
        ("EPSG:4326", [0.01, 0.0, 179.0, 0.0, -0.01, 10.0]),
        ("EPSG:4326", [0.01, 0.0, -181.0, 0.0, -0.01, 10.0]),
        ("EPSG:3832", [1000.0, 0.0, 3_280_000.0, 0.0, -1000.0, 100_000.0]),
    ],
)
def test_area_across_the_date_line_is_cut_there(crs, transform):
    if crs == "EPSG:32601":  # UTM zone 1 begins at the date line, 334 km west of its meridian
        transform = [1000.0, 0.0, 100_000.0, 0.0, -1000.0, 50_000.0]
    placed = place(shapely.box(0, 0, 200, 30), crs, transform)
    assert placed.is_valid
    assert len(placed.geoms) == 2
    west, east = sorted(part.bounds for part in placed.geoms)
    assert west[0] == pytest.approx(-180)
    assert east[2] == pytest.approx(180)
    assert all(part.bounds[2] - part.bounds[0] < 3 for part in placed.geoms)


@pytest.mark.parametrize("name", ["utm", "geographic", "mercator", "rotated"])
def test_area_is_that_of_the_ellipsoid(name):
    crs, transform = PLACES[name]
    expected = {"utm": 100 * 0.9992, "rotated": 100 * 0.9992, "mercator": 100 * np.cos(np.radians(40.9)) ** 2}
    expected["geographic"] = (111_320 * np.cos(np.radians(41)) * 1e-4) * (111_060 * 1e-4)
    assert area_m2(HOLED, crs, transform) == pytest.approx(HOLED.area * expected[name], rel=0.01)


def test_place_that_proj_cannot_tell_is_none():
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    transform = [1.0, 0.0, 0.0, 0.0, -1.0, 0.0]
    assert place(HOLED, local, transform) is None
    assert area_m2(HOLED, local, transform) is None
    assert place(HOLED, "EPSG:32631", [1e30, 0.0, 0.0, 0.0, -1e30, 0.0]) is None


def test_vertices_beyond_the_date_line_are_brought_near_a_longitude():
    square = shapely.box(-181.0, 10.0, -179.0, 11.0)

    turned = near_longitude(square, 179.5)

    assert turned.bounds == (179.0, 10.0, 181.0, 11.0)
    assert near_longitude(turned, -179.5).equals(square)


def test_geometry_is_left_as_it_is_where_the_crs_is_the_same():
    square = shapely.box(0.0, 0.0, 1.0, 1.0)

    assert reprojected(square, CRS.from_epsg(4326), CRS.from_epsg(4326)) is square


def test_only_what_has_an_area_is_kept():
    mixed = shapely.GeometryCollection(
        [shapely.box(0, 0, 1, 1), shapely.Point(2, 2), shapely.LineString([[0, 0], [3, 3]])]
    )

    assert polygons_only(mixed).equals(shapely.box(0, 0, 1, 1))
