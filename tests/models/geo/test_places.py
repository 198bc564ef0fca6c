import math

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from models.geo.footprints import EARTH_RADIUS_M, Footprints, centres, chord_m, sides_m
from models.geo.places import ALIKE, REACH, places

NOWHERE = [math.nan] * 4


def squares(centre_points: list[tuple[float, float]], side_m: float = 640.0) -> np.ndarray:
    """Bounds of squares about (longitude, latitude) in degrees."""
    longitude, latitude = np.array(centre_points, np.float64).reshape(-1, 2).T
    height = np.degrees(side_m / EARTH_RADIUS_M)
    width = height / np.cos(np.radians(latitude))
    return np.column_stack([longitude - width / 2, latitude - height / 2, longitude + width / 2, latitude + height / 2])


def footprints(bounds: np.ndarray, paths: list[str] | None = None) -> Footprints:
    names = paths or [f"{row}.tif" for row in range(len(bounds))]
    return Footprints(np.arange(len(bounds)), bounds, pa.chunked_array([pa.array(names, pa.string())]))


def places_of(bounds: np.ndarray) -> list[int]:
    return footprints(bounds).places.tolist()


def test_repeated_acquisitions_are_one_place_and_neighbours_are_not() -> None:
    shift = np.degrees(100.0 / EARTH_RADIUS_M)
    tile = np.degrees(640.0 / EARTH_RADIUS_M)
    found = places_of(squares([(3.0, 0.0), (3.0 + shift, 0.0), (3.0 + tile, 0.0), (3.0, -shift), (3.0, 0.0)]))
    assert len({found[0], found[1], found[3], found[4]}) == 1
    assert len(set(found)) == 2


def test_footprints_of_other_sizes_and_without_a_place_stand_alone() -> None:
    bounds = np.concatenate([squares([(3.0, 45.0)]), squares([(3.0, 45.0)], 1000.0), [NOWHERE, NOWHERE]])
    assert len(set(places_of(bounds))) == 4


def test_places_are_found_across_the_date_line_and_at_the_pole() -> None:
    across = squares([(180.0, 10.0)])
    written = across.copy()
    written[0, 2] -= 360.0  # left > right, as registration writes it
    pole = np.array([[-180.0, 89.9, 180.0, 90.0], [-180.0, 89.9, 180.0, 90.0], [-180.0, -90.0, 180.0, -89.9]])
    found = places_of(np.concatenate([across, written, squares([(-180.0, 10.0)]), pole]))
    assert len(set(found[:3])) == 1
    assert found[3] == found[4]
    assert len(set(found)) == 3


def test_tiles_that_overlap_do_not_chain_into_one_place() -> None:
    step = np.degrees(640.0 / 4 / EARTH_RADIUS_M)
    found = places_of(squares([(3.0 + index * step, 0.0) for index in range(400)]))
    assert 80 <= len(set(found)) <= 200


@given(
    points=st.lists(st.tuples(st.integers(-12, 12), st.integers(-12, 12)), max_size=40),
    side=st.lists(st.sampled_from([500.0, 640.0, 760.0, 5000.0]), min_size=40, max_size=40),
)
def test_places_are_a_maximal_set_of_footprints_unlike_each_other(
    points: list[tuple[int, int]], side: list[float]
) -> None:
    centre = np.array([(x * 120.0, y * 120.0, 6e6) for x, y in points]).reshape(-1, 3)
    sides = np.array(side[: len(points)])
    place = places(centre, sides)

    def alike(a: int, b: int) -> bool:
        smaller, larger = sorted([sides[a], sides[b]])
        return bool(np.linalg.norm(centre[a] - centre[b]) <= REACH * smaller and larger <= ALIKE * smaller)

    leaders = set(place.tolist())
    assert all(place[leader] == leader for leader in leaders)
    assert all(alike(row, int(place[row])) for row in range(len(points)))
    assert not any(alike(a, b) for a in leaders for b in leaders if a < b)


def test_many_samples_at_one_spot_take_no_comparison_of_all_with_all() -> None:
    assert len(set(places_of(squares([(3.0, 45.0)] * 100_000)))) == 1


@given(left=st.floats(-180, 180), width=st.floats(0.001, 10), bottom=st.floats(-89, 88), height=st.floats(0.001, 1))
def test_centres_do_not_depend_on_how_longitude_is_written(
    left: float, width: float, bottom: float, height: float
) -> None:
    plain = np.array([[left, bottom, left + width, bottom + height]])
    wrapped = plain.copy()
    wrapped[:, [0, 2]] = (wrapped[:, [0, 2]] + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(centres(plain), centres(wrapped), atol=1e-12)
    np.testing.assert_allclose(sides_m(plain), sides_m(wrapped), rtol=1e-6)
    assert abs(np.linalg.norm(centres(plain)) - 1.0) < 1e-12


def test_sides_are_metres_on_the_ground() -> None:
    np.testing.assert_allclose(sides_m(squares([(3.0, 0.0), (3.0, 60.0), (179.999, -70.0)])), 640.0, rtol=1e-3)
    assert np.isnan(sides_m(np.array([NOWHERE]))).all()


def test_a_chord_is_as_long_as_its_arc_when_short_and_the_diameter_at_most() -> None:
    assert abs(chord_m(10.0) - 10.0) < 1e-6
    assert abs(chord_m(math.pi * EARTH_RADIUS_M) - 2 * EARTH_RADIUS_M) < 1e-3
    assert chord_m(2.1e7) == math.inf


def test_acquisitions_lists_all_samples_of_a_place() -> None:
    found = footprints(squares([(3.0, 0.0), (4.0, 0.0), (3.0, 0.0), (5.0, 0.0), (3.0, 0.0)]))
    rows, lengths = found.acquisitions(np.array([1, 4]))
    assert rows.tolist() == [1, 0, 2, 4]
    assert lengths.tolist() == [1, 3]
    assert found.acquisitions(np.empty(0, np.int64))[0].tolist() == []
