"""Where rasters lie: bounds in longitude and latitude."""

import math

import pytest

from models.rasters.reading import read_header
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
