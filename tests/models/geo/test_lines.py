import time
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiLineString

from models.geo.lines import covered_pixels, cut_line_at_date_line, ground_matrix, line_in_pixels, line_on_earth
from models.rasters.masks import polygons_to_codes

UTM = "EPSG:32631"
TEN_M = (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0)


def pixels(line: Any, breadth: float, size: tuple[int, int] = (20, 12), matrix: Any = None) -> np.ndarray:
    return polygons_to_codes([(1, covered_pixels(line, breadth, size, matrix).wkb)], size[1], size[0])


def test_line_covers_its_width_on_the_ground() -> None:
    matrix = ground_matrix(UTM, TEN_M, 20, 12)
    assert matrix is not None
    np.testing.assert_allclose(np.abs(matrix), np.diag([10, 10]), atol=0.01)  # UTM's scale is .9996 here
    found = pixels(LineString([(0, 6), (20, 6)]), 40.1, matrix=matrix)  # a little more than 4 px
    assert found.sum(axis=0).tolist() == [4] * 20
    assert found[4:8].all()


def test_thin_line_covers_the_pixels_that_it_touches() -> None:
    found = pixels(LineString([(0.2, 2.2), (19.8, 2.4)]), 0.01)
    assert found[2].all()
    assert found.sum() == 20


@pytest.mark.parametrize("latitude", [0.0, 45.0, 60.0, -70.0])
def test_degrees_are_converted_at_the_latitude_of_the_image(latitude: float) -> None:
    matrix = ground_matrix("EPSG:4326", (1e-4, 0.0, 7.0, 0.0, -1e-4, latitude), 64, 64)
    assert matrix is not None
    metres = 111_320 * 1e-4
    np.testing.assert_allclose(np.abs(np.diag(matrix)), [metres * np.cos(np.radians(latitude)), metres], rtol=0.01)


def test_scale_of_web_mercator_is_taken_out() -> None:
    y = 8_399_737.9  # 60 degrees north, where a metre of the CRS is half a metre on the ground
    matrix = ground_matrix("EPSG:3857", (10.0, 0.0, 0.0, 0.0, -10.0, y), 64, 64)
    assert matrix is not None
    np.testing.assert_allclose(np.abs(np.diag(matrix)), [5, 5], rtol=0.01)


def test_width_is_the_same_in_a_turned_image() -> None:
    cos, sin = 10 * np.cos(0.5), 10 * np.sin(0.5)
    matrix = ground_matrix(UTM, (cos, sin, 500_000.0, sin, -cos, 5_000_000.0), 200, 200)
    turned = pixels(LineString([(20, 30), (180, 150)]), 60.0, (200, 200), matrix).sum()
    upright = pixels(LineString([(20, 30), (180, 150)]), 60.0, (200, 200), ground_matrix(UTM, TEN_M, 200, 200)).sum()
    assert abs(int(turned) - int(upright)) < 0.02 * upright
    assert abs(int(turned) - 200 * 6) < 0.05 * 1200


def test_crs_without_a_place_has_no_metres() -> None:
    local = 'LOCAL_CS["mine",UNIT["metre",1]]'
    assert ground_matrix(local, TEN_M, 4, 4) is None


def test_line_outside_covers_nothing() -> None:
    assert covered_pixels(LineString([(100, 100), (120, 120)]), 3.0, (20, 12)).is_empty


def test_line_beside_the_image_covers_what_its_width_reaches() -> None:
    assert pixels(LineString([(0, -1), (20, -1)]), 4.0)[0].all()


def test_line_that_crosses_itself_covers_each_pixel_once() -> None:
    eight = LineString([(2, 2), (15, 10), (15, 2), (2, 10)])
    outlines = covered_pixels(eight, 1.0, (20, 12))
    assert shapely.is_valid(outlines)
    assert outlines.area == pixels(eight, 1.0).sum()


def test_a_scribble_of_20_000_vertices_is_painted() -> None:
    rng = np.random.default_rng(0)
    scribble = LineString(rng.uniform(0, 256, (20_000, 2)))
    started = time.process_time()
    assert pixels(scribble, 1.0, (256, 256)).mean() > 0.99
    assert time.process_time() - started < 60  # seconds of one core; noding all crossings would take hours


@given(
    st.lists(st.tuples(st.floats(-5, 25), st.floats(-5, 17)), min_size=2, max_size=8),
    st.floats(0.1, 6.0),
    st.floats(0.1, 6.0),
)
def test_a_wider_line_covers_no_less(points: list[tuple[float, float]], first: float, second: float) -> None:
    line = LineString(points)
    narrow, wide = (pixels(line, breadth).astype(bool) for breadth in sorted((first, second)))
    assert not (narrow & ~wide).any()


@pytest.mark.parametrize(
    ("crs", "transform"),
    [(UTM, TEN_M), ("EPSG:4326", (1e-4, 0, 179.998, 0, -1e-4, 10.0)), ("EPSG:3413", (30, 0, 1e5, 0, -30, -2e5))],
)
def test_line_returns_from_longitude_and_latitude(crs: str, transform: tuple[float, ...]) -> None:
    line = LineString([(1, 2), (30.5, 20), (60, 3)])
    placed = line_on_earth(line, crs, transform)
    assert placed is not None
    assert np.abs(shapely.get_coordinates(placed)[:, 0]).max() <= 180
    back = line_in_pixels(placed, crs, transform, (0, 0, 64, 64))
    assert shapely.hausdorff_distance(shapely.line_merge(back), line) < 0.01


def test_line_that_jumps_at_the_date_line_is_cut_there() -> None:
    cut = cut_line_at_date_line(LineString([(179.0, 0.0), (-179.0, 2.0)]))
    assert isinstance(cut, MultiLineString)
    assert [list(part.coords) for part in cut.geoms] == [[(179, 0), (180, 1)], [(-180, 1), (-179, 2)]]


@given(
    st.lists(st.tuples(st.floats(-5, 25), st.floats(-5, 17)), min_size=2, max_size=5, unique=True),
    st.floats(0.05, 4),
    st.booleans(),
)
def test_parts_of_pixels_hold_more_of_a_lines_shape(points: Any, breadth: float, metres: bool) -> None:
    matrix = np.diag([10.0, 10.0]) if metres else None
    line, width = LineString(points), breadth * (10 if metres else 1)
    fine, coarse = (covered_pixels(line, width, (20, 12), matrix, scale) for scale in (2, 1))
    corners = 2 * shapely.get_coordinates(fine)
    np.testing.assert_allclose(corners, corners.round(), atol=1e-9)
    # A part that is covered lies in the line widened by its own diagonal, which is half of that of a pixel.
    for covered, scale in ((fine, 2), (coarse, 1)):
        reach = shapely.buffer(line, breadth / 2 + np.sqrt(2) / scale + 1e-6)
        assert shapely.difference(covered, reach).area < 1e-6
    assert fine.area <= coarse.area + 4 * shapely.buffer(line, breadth).length  # never wildly more


def test_road_narrower_than_a_pixel_is_as_narrow_on_the_finer_grid() -> None:
    matrix = np.diag([10.0, 10.0])
    line = LineString([(0, 6.3), (20, 6.3)])
    assert covered_pixels(line, 5.0, (20, 12), matrix, 2).area == 10.0
    assert covered_pixels(line, 5.0, (20, 12), matrix).area == 20.0  # what it touches
