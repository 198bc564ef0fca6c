"""Where rasters lie: bounds in longitude and latitude."""

import math

import numpy as np
import pytest
import rasterio
import rasterio.warp
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC

from models.rasters.crs import transform_points
from models.rasters.georeference import location
from models.rasters.reading import read_header
from tests.data.examples import examples
from tests.data.make_scene import make_scene


@pytest.mark.parametrize(
    ("crs", "origin", "gsd", "expected"),
    [
        ("EPSG:32631", (500_000, 4_600_000), 10, [3.0, 41.547, 3.0077, 41.551]),
        ("EPSG:32731", (500_000, 6_000_000), 10, [3.0, -36.15, 3.0072, -36.14]),
        ("EPSG:4326", (2.0, 45.0), 1e-4, [2.0, 44.9952, 2.0064, 45.0]),
        ("EPSG:3035", (4_321_000, 3_210_000), 10, [10.0, 51.9957, 10.0093, 52.0]),
    ],
)
def test_bounds_are_longitude_and_latitude(tmp_path, crs, origin, gsd, expected):
    header = read_header(make_scene(tmp_path / "a.tif", crs=crs, origin=origin, gsd_m=gsd))

    assert header.bounds == pytest.approx(expected, abs=6e-3)


def test_bounds_across_the_date_line_have_left_greater_than_right(tmp_path):
    utm = make_scene(tmp_path / "a.tif", crs="EPSG:32701", origin=(100_000, 8_000_000), gsd_m=2000)
    degrees = make_scene(tmp_path / "b.tif", crs="EPSG:4326", origin=(179.0, 0.0), gsd_m=0.1)

    for path in (utm, degrees):
        left, _, right, _ = read_header(path).bounds
        assert 170 < left <= 180
        assert -180 <= right < -170


def test_bounds_around_a_pole_span_all_longitudes(tmp_path):
    header = read_header(make_scene(tmp_path / "a.tif", crs="EPSG:3031", origin=(-32_000, 24_000), gsd_m=1000))

    left, bottom, right, top = header.bounds
    assert (left, bottom, right) == (-180, -90, 180)
    assert -90 < top < -89


def test_file_without_crs_has_no_place(tmp_path):
    header = read_header(make_scene(tmp_path / "a.tif", crs=None))

    assert (header.crs, header.transform, header.bounds) == (None, None, None)


def test_geographic_bounds_are_finite_or_absent(tmp_path):
    header = read_header(make_scene(tmp_path / "a.tif", crs="EPSG:32631", origin=(9e9, 9e9), gsd_m=1e6))

    assert header.bounds is None or all(math.isfinite(value) for value in header.bounds)


MARS = (
    'GEOGCS["Mars 2000",DATUM["D_Mars_2000",SPHEROID["Mars_2000_IAU_IAG",3396190,169.8944472]],'
    'PRIMEM["Reference_Meridian",0],UNIT["degree",0.0174532925199433]]'
)
MOON = 'GEOGCS["Moon",DATUM["D_Moon",SPHEROID["Moon",1737400,0]],PRIMEM["x",0],UNIT["degree",0.0174532925199433]]'
SITE = 'ENGCRS["site",EDATUM["peg"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]'
GEOSTATIONARY = "+proj=geos +h=35785831 +lon_0=140.7 +sweep=y +ellps=GRS80"
NORTH_UP = [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_650_000.0]


@pytest.mark.parametrize(
    ("crs", "transform", "reason"),
    [
        (CRS.from_wkt('LOCAL_CS["unnamed",UNIT["metre",1]]'), NORTH_UP, "no way to longitude and latitude"),
        (CRS.from_wkt(SITE), NORTH_UP, "no way to longitude and latitude"),
        (CRS.from_wkt(MARS), [0.001, 0.0, 10.0, 0.0, -0.001, 20.0], "'Mars 2000' has no way"),
        (CRS.from_wkt(MOON), [0.001, 0.0, 10.0, 0.0, -0.001, 20.0], "'Moon' has no way"),
        (CRS.from_epsg(4326), NORTH_UP, "perhaps they are metres"),
        (CRS.from_epsg(4326), [10.0, 0.0, 0.0, 0.0, -10.0, 90.0], "give it its true CRS"),
        (CRS.from_epsg(4326), [0.05, 0.0, 10.0, 0.0, -0.05, 90.1], "pass a pole by 0.1 degrees, 2 rows,"),
        (CRS.from_epsg(4326), [0.05, 0.0, 10.0, 0.0, 0.05, -90.15], "pass a pole by 0.15 degrees, 3 rows,"),
        (CRS.from_epsg(4326), [0.1, 0.0, 41.0, 0.0, -0.1, 129.5], "perhaps longitude and latitude are swapped"),
        (CRS.from_epsg(4269), NORTH_UP, "perhaps they are metres"),
        (CRS.from_epsg(4326), [0.1, 0.0, 500.0, 0.0, -0.1, 40.0], "are no degrees"),
        (CRS.from_epsg(32630), [10.0, 0.0, 5e7, 0.0, -10.0, 5e7], "outside of what its CRS EPSG:32630 covers"),
        (CRS.from_epsg(3857), [10.0, 0.0, 5e7, 0.0, -10.0, 5e6], "outside of what"),
        (
            CRS.from_string("+proj=sinu +R=6371007.181"),
            [463.3, 0.0, -20015109.0, 0.0, -463.3, 10007554.0],
            "outside of",
        ),
        (CRS.from_epsg(3857), [10.0, 0.0, 0.0, 0.0, -10.0, 1e8], "outside of what its CRS EPSG:3857 covers"),
        (CRS.from_epsg(3395), [10.0, 0.0, 0.0, 0.0, -10.0, -1e8], "outside of what"),
        (CRS.from_epsg(3995), [10.0, 0.0, 1e9, 0.0, -10.0, 1e9], "outside of what"),
        (CRS.from_epsg(2154), [10.0, 0.0, 1e8, 0.0, -10.0, -1e8], "outside of what"),
        (CRS.from_epsg(32630), [33.0, 0.0, 1640000.0, 0.0, -33.0, 15255905.0], "outside of what"),  # feet
        (CRS.from_epsg(4978), NORTH_UP, "outside of what"),
        (CRS.from_epsg(5773), NORTH_UP, "outside of what"),
        (CRS.from_epsg(4326), [0.0, 0.0, 5.0, 0.0, 0.0, 6.0], "on a line"),
        (CRS.from_epsg(4326), [math.nan, 0.0, 5.0, 0.0, -1.0, 6.0], "on a line or nowhere"),
    ],
)
def test_raster_without_a_place_on_earth_says_why_and_says_the_same_each_time(crs, transform, reason):
    found = {str(location(crs, transform, 64, 64)) for _ in range(25)}

    assert len(found) == 1
    bounds, problem = location(crs, transform, 64, 64)
    assert bounds is None
    assert reason in problem


@pytest.mark.parametrize(
    ("crs", "transform", "size", "expected"),
    [
        (4326, [0.5, 0.0, -180.25, 0.0, -0.5, 90.25], (721, 361), [-180, -90, 180, 90]),
        (4326, [0.5, 0.0, -0.25, 0.0, -0.5, 90.25], (720, 361), [-180, -90, 180, 90]),
        (4269, [0.5, 0.0, -180.25, 0.0, -0.5, 90.25], (721, 361), [-180, -90, 180, 90]),
        (4326, [0.1, 0.0, 350.0, 0.0, -0.1, 10.0], (200, 100), [-10, 0, 10, 10]),
        (4326, [0.1, 0.0, 185.0, 0.0, -0.1, 10.0], (100, 100), [-175, 0, -165, 10]),
        (3857, [1000.0, 0.0, 2e7, 0.0, -1000.0, 0.0], (100, 100), [179.66, -0.898, -179.44, 0]),
        (4326, [0.5, 0.0, 0.0, 0.0, -0.5, 90.0], (720, 360), [-180, -90, 180, 90]),
        (4326, [0.1, 0.0, -190.0, 0.0, -0.1, 10.0], (200, 100), [170, 0, -170, 10]),
        (3857, [152.87, 0.0, 0.0, 0.0, -152.87, 20037508.34], (256, 256), [0, 85.0207, 0.3516, 85.0511]),
        (3413, [375000.0, 0.0, -1.2e7, 0.0, -375000.0, 1.2e7], (64, 64), [-180, -18.11, 180, 90]),
        (4807, [0.001, 0.0, 0.0, 0.0, -0.001, 50.0], (100, 100), [2.3366, 44.91, 2.4266, 45.0]),
    ],
)
def test_longitudes_are_wrapped_and_overshoots_cut_off(crs, transform, size, expected):
    bounds, problem = location(CRS.from_epsg(crs), transform, *size)

    assert problem is None
    assert bounds == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("rows", [181, 361, 721, 1801, 2161, 3601])
@pytest.mark.parametrize("beyond", [0.5, 1.0], ids=["pixel centres on the poles", "a whole pixel"])
@pytest.mark.parametrize("left", [-180.0, 0.0])
@pytest.mark.parametrize("south_up", [False, True])
def test_global_grid_that_passes_the_poles_by_up_to_a_pixel_is_cut_there(rows, beyond, left, south_up):
    """As of ERA5, 721 rows of a quarter of a degree: the outermost pixel centres are the poles."""
    side = 180.0 / (rows - 1)
    for step in (side, float(np.float32(side))):  # some write their steps with 7 digits
        up = step if south_up else -step
        top = math.copysign(90.0 + beyond * step, -up)
        transform = [step, 0.0, left - step / 2, 0.0, up, top]
        found = location(CRS.from_epsg(4326), transform, 2 * (rows - 1), rows)
        assert found.problem is None
        assert found.bounds == pytest.approx([-180.0, -90.0, 180.0, 90.0], abs=side)


def test_vertical_part_of_a_crs_does_not_matter():
    compound = CRS.from_user_input("EPSG:32630+5773")
    assert location(compound, NORTH_UP, 64, 64) == location(CRS.from_epsg(32630), NORTH_UP, 64, 64)


def test_full_disks_are_bounded_by_what_is_seen_of_the_earth():
    for _ in range(12):
        seen, problem = location(CRS.from_string(GEOSTATIONARY), [11e3, 0.0, -5.5e6, 0.0, -11e3, 5.5e6], 1000, 1000)
        assert problem is None
        assert seen == pytest.approx([61.4, -80.0, -140.0, 80.0], abs=1.5)
    globe = CRS.from_string("+proj=ortho +lat_0=40 +lon_0=10 +ellps=sphere")
    bounds, problem = location(globe, [13e3, 0.0, -6.5e6, 0.0, -13e3, 6.5e6], 1000, 1000)
    assert problem is None
    assert bounds == pytest.approx([-180, -50, 180, 90], abs=5)


@pytest.mark.timeout(60, method="thread")
@pytest.mark.parametrize("wide", [1e20, -1e32, 1e300])
def test_coordinates_far_beyond_the_earth_are_given_up_at_once(wide):
    """GDAL turned a longitude of Web Mercator back by 360 degrees until it fitted, which for these never happened."""
    bounds, problem = location(CRS.from_epsg(3857), [wide, 1.0, -238.0, 1.9, 383.3, 90.0], 282, 282)

    assert problem is None
    assert bounds == pytest.approx([0.0, 0.0, 0.0, 0.97], abs=0.01)  # its first column, which lies on Earth


def test_sinusoidal_image_far_beyond_the_poles_is_placed_by_few_calls(monkeypatch):
    """PROJ refused each point beyond them anew, so that the grid over the image took 33,000 calls and four seconds."""
    calls, transform = [], rasterio.warp.transform

    def counted(*parts):
        calls.append(len(parts[2]))
        return transform(*parts)

    monkeypatch.setattr(rasterio.warp, "transform", counted)
    modis = CRS.from_string("+proj=sinu +R=6371007.181")
    bounds, problem = location(modis, [-200.0, 3e6, -300.0, 0.0, 3.4e7, 170.0], 173, 173)

    assert problem is None
    assert bounds == pytest.approx([-0.31, 0.0, 0.0, 0.0], abs=0.02)  # its first row, which lies on Earth
    assert len(calls) < 100


@pytest.mark.parametrize(("definition", "metres"), [("", 1.0), ("+y_0=250000", 1.0), ("+units=km", 1000.0)])
def test_sinusoidal_points_up_to_the_poles_have_a_place_and_none_beyond_has(definition, metres):
    crs = CRS.from_string(f"+proj=sinu +R=6371007.181 {definition}")
    middle = 250_000.0 if definition.startswith("+y_0") else 0.0
    north = np.array([0.0, 1_000_000.0, 10_007_554.0, 10_021_000.0, 10_100_000.0, 5e7])
    placed = transform_points(crs, CRS.from_epsg(4326), np.column_stack([0.0 * north, (north + middle) / metres]))
    there = np.degrees(north / 6371007.181)

    np.testing.assert_allclose(placed[:3, 1], there[:3], atol=0.2)
    assert not np.isfinite(placed[3:]).any()


@pytest.mark.filterwarnings("error")
def test_pixel_whose_neighbour_has_no_place_gives_no_warning():
    bounds, problem = location(CRS.from_epsg(3035), [16_564_370.0, -214.0, -2.0, 1.0, -1.0, 0.0], 2, 2)

    assert bounds is None
    assert "outside of what its CRS" in problem


CRSS = [CRS.from_epsg(code) for code in (4326, 4269, 4807, 3857, 3832, 32660, 32601, 3413, 3031, 3035, 4978, 6933)] + [
    CRS.from_string(text) for text in (GEOSTATIONARY, "+proj=sinu +R=6371007.181", "+proj=robin", "+proj=moll")
]
numbers = st.one_of(
    st.floats(-1e8, 1e8), st.floats(-400, 400), st.sampled_from([0.0, 1e-9, 1e300, -1e30, 5e7, 180.0, 90.0])
)


@settings(max_examples=examples(60))
@given(crs=st.sampled_from(CRSS), transform=st.lists(numbers, min_size=6, max_size=6), size=st.integers(1, 5000))
def test_bounds_are_on_earth_or_there_is_a_reason(crs, transform, size):
    bounds, problem = location(crs, transform, size, size)

    assert (bounds is None) != (problem is None)
    if bounds is not None:
        left, bottom, right, top = bounds
        assert -180 <= left <= 180
        assert -180 <= right <= 180
        assert -90 <= bottom <= top <= 90


def test_grid_file_that_a_crs_names_is_not_used(tmp_path):
    grid = tmp_path / "grid.gsb"
    grid.write_bytes(b"x" * 1000)
    crs = CRS.from_string(f"+proj=utm +zone=31 +ellps=intl +nadgrids={grid} +units=m")

    bounds, problem = location(crs, NORTH_UP, 64, 64)

    assert bounds is None
    assert "names a grid file" in problem


@pytest.mark.parametrize("code", [32601, 32631, 32660, 32701, 32733, 32760])
def test_utm_is_exact_where_points_are_not_brought_back(code: int) -> None:
    crs, geographic = CRS.from_epsg(code), CRS.from_epsg(4326)
    equator = 10_000_000.0 if code > 32700 else 0.0
    xs, ys = np.meshgrid(np.linspace(100_000, 900_000, 9), equator + np.linspace(-9_400_000, 9_400_000, 41))
    points = np.column_stack([xs.ravel(), ys.ravel()])
    back = transform_points(geographic, crs, transform_points(crs, geographic, points))
    np.testing.assert_allclose(back, points, atol=1e-3)


def test_image_beside_its_utm_zone_is_placed_as_exactly_as_one_in_it() -> None:
    for x in (899_000.0, 901_000.0):  # on either side of where points are brought back to be sure
        bounds = location(CRS.from_epsg(32631), [10.0, 0.0, x, 0.0, -10.0, 4_600_000.0], 64, 64).bounds
        assert bounds is not None
        assert 7.7 < bounds[0] < bounds[2] < 7.9
        assert 41.4 < bounds[1] < bounds[3] < 41.5


def test_scene_placed_by_points_or_polynomials_says_so(tmp_path):
    corners = [GroundControlPoint(y, x, -3 + x / 1e4, 42 - y / 1e4) for x in (0, 8) for y in (0, 8)]
    numbers = dict.fromkeys(("line_num_coeff", "line_den_coeff", "samp_num_coeff", "samp_den_coeff"), [1.0] * 20)
    offsets = {f"{name}_{kind}": 1.0 for name in ("height", "lat", "long", "line", "samp") for kind in ("off", "scale")}
    placed = {"points.tif": {"gcps": corners, "crs": "EPSG:4326"}, "rpc.tif": {"rpcs": RPC(**numbers, **offsets)}}
    for name, place in placed.items():
        with rasterio.open(tmp_path / name, "w", "GTiff", 8, 8, 1, dtype="uint8", **place):
            pass
    reasons = {name: read_header(tmp_path / name).place_problem or "" for name in placed}
    assert "4 ground control points instead of a transform; warp it" in reasons["points.tif"]
    assert "rational polynomials (RPC)" in reasons["rpc.tif"]
    assert read_header(tmp_path / "points.tif").bounds is None
