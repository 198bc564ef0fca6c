import numpy as np
import pytest
import rasterio.warp
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from models.geo.placement import area_m2, locate, place, polygons_only, reprojected
from models.rasters.georeference import crs_name
from models.rasters.masks import codes_to_polygons, polygons_to_codes

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


FRAME = (0.0, 0.0, 64.0, 64.0)
WORLD_M = 2 * 20_037_508.342789244
GRIDS = PLACES | {
    "utm across": ("EPSG:32660", [1000.0, 0.0, 770_000.0, 0.0, -1000.0, 7_000_000.0]),
    "rotated across": ("EPSG:32660", [800.0, 300.0, 660_000.0, 300.0, -800.0, 7_000_000.0]),
    "pacific": ("EPSG:3832", [1000.0, 0.0, 3_300_000.0, 0.0, -1000.0, 100_000.0]),
    "pacific, all around": ("EPSG:3832", [WORLD_M / 64, 0.0, -WORLD_M / 2, 0.0, -200_000.0, 6_000_000.0]),
    "mercator across": ("EPSG:3857", [1000.0, 0.0, 20_000_000.0, 0.0, -1000.0, 100_000.0]),
    "degrees across": ("EPSG:4326", [0.01, 0.0, 179.8, 0.0, -0.01, 10.0]),
    "degrees from -180.3": ("EPSG:4326", [0.01, 0.0, -180.3, 0.0, -0.01, 10.0]),
    "degrees beyond 180": ("EPSG:4326", [0.01, 0.0, 190.08, 0.0, -0.01, 10.0]),
    "degrees across 360": ("EPSG:4326", [1.0, 0.0, 350.0, 0.0, -1.0, 10.0]),
    "world": ("EPSG:4326", [360 / 64, 0.0, -180.0, 0.0, -180 / 64, 90.0]),
    "world from 0 to 360": ("EPSG:4326", [360 / 64, 0.0, 0.0, 0.0, -180 / 64, 90.0]),
    "half a pixel beyond the poles": ("EPSG:4326", [360 / 64, 0.0, -180.0, 0.0, -180 / 63, 90.0 + 90 / 63]),
    "around a pole": ("EPSG:3413", [10_000.0, 0.0, -333_000.0, 0.0, -10_000.0, 317_000.0]),
}


@given(data=st.data(), name=st.sampled_from(sorted(GRIDS)))
def test_area_is_the_same_pixels_after_it_was_placed_and_brought_back(data, name):
    crs, transform = GRIDS[name]
    sides = st.lists(st.integers(0, 64), min_size=2, max_size=2, unique=True).map(sorted)
    mask = np.zeros((64, 64), np.uint8)
    for value in data.draw(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=4)):
        (left, right), (top, bottom) = data.draw(sides), data.draw(sides)
        mask[top:bottom, left:right] = value
    for _, area in codes_to_polygons(mask):
        placed = place(area, crs, transform, FRAME)

        if placed is None and name == "around a pole":  # on an edge or close to it: the area is exported in pixels
            continue
        assert placed is not None
        assert placed.is_valid
        assert (np.abs(shapely.get_coordinates(placed)) <= [180.0, 90.0]).all()
        back = polygons_only(shapely.intersection(locate(placed, crs, transform, FRAME), shapely.box(*FRAME)))
        codes = polygons_to_codes([(1, shapely.to_wkb(part)) for part in back.geoms], 64, 64)
        np.testing.assert_array_equal(codes, mask)


@pytest.mark.parametrize(
    "longitudes", [(179.9, 180.1), (-180.1, -179.9), (179.9, -179.9)], ids=["beyond 180", "beyond -180", "jumping"]
)
@pytest.mark.parametrize("name", ["degrees across", "degrees from -180.3"])
def test_area_across_the_date_line_is_understood_in_each_way_it_is_written(longitudes, name):
    west, east = longitudes
    crs, transform = GRIDS[name]
    ring = shapely.Polygon([(west, 9.9), (east, 9.9), (east, 9.8), (west, 9.8)])

    found = polygons_only(shapely.make_valid(locate(ring, crs, transform, FRAME)))

    start = 10.0 if name == "degrees across" else 20.0
    assert found.bounds == pytest.approx((start, 10.0, start + 20.0, 20.0), abs=1e-6)


def test_full_disk_has_places_up_to_its_limb_and_none_in_space():
    crs = crs_name(CRS.from_string("+proj=geos +h=35785831 +lon_0=140.7 +sweep=y +ellps=GRS80"))
    transform = [11_000.0, 0.0, -5_500_000.0, 0.0, -11_000.0, 5_500_000.0]
    for _ in range(30):  # GDAL reports 20 failures of a transformer, then no more
        assert place(shapely.box(0, 0, 300, 300), crs, transform) is None
        assert place(shapely.box(500, 400, 540, 440), crs, transform) is not None


def test_pole_is_inside_of_an_area_around_it():
    crs, transform = GRIDS["around a pole"]
    placed = place(shapely.box(30, 28, 36, 34), crs, transform, FRAME)
    assert placed.bounds == pytest.approx((-180, 89.6, 180, 90), abs=0.2)
    assert shapely.contains_xy(placed, 77.0, 89.999)


def test_geometry_is_left_as_it_is_where_the_crs_is_the_same():
    square = shapely.box(0.0, 0.0, 1.0, 1.0)

    assert reprojected(square, CRS.from_epsg(4326), CRS.from_epsg(4326)) is square


def test_only_what_has_an_area_is_kept():
    mixed = shapely.GeometryCollection(
        [shapely.box(0, 0, 1, 1), shapely.Point(2, 2), shapely.LineString([[0, 0], [3, 3]])]
    )

    assert polygons_only(mixed).equals(shapely.box(0, 0, 1, 1))
