import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.domain.campaigns import SpreadSettings
from al_loop.querying.spread import first_of_each_place, is_on, spread
from models.geo.footprints import EARTH_RADIUS_M, Footprints
from tests.models.geo.test_places import NOWHERE, footprints, squares

LONGITUDE, LATITUDE = st.floats(-180, 180), st.floats(-89.9, 89.9)
POINTS = st.lists(st.tuples(LONGITUDE, LATITUDE), min_size=2, max_size=12)


def dots(points: list[tuple[float, float]]) -> np.ndarray:
    """Bounds without extent about (longitude, latitude)."""
    longitude, latitude = np.array(points, np.float64).T
    return np.column_stack([longitude, latitude, longitude, latitude])


def haversine_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The textbook's great-circle distance."""
    (x, y), (u, v) = np.radians(a), np.radians(b)
    square = math.sin((v - y) / 2) ** 2 + math.cos(y) * math.cos(v) * math.sin((u - x) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(square)))


def kept(places: Footprints, candidates: list[int], settings: SpreadSettings, **known: object) -> list[int]:
    found = spread(candidates, len(candidates), places, settings, **known)  # type: ignore[arg-type]
    return [candidates[position] for position in found.kept.tolist()]


@given(points=POINTS, distance_m=st.floats(1.0, 2.1e7))
def test_no_two_samples_are_nearer_than_the_distance_and_none_is_left_out_without_cause(
    points: list[tuple[float, float]], distance_m: float
) -> None:
    taken = kept(footprints(dots(points)), list(range(len(points))), SpreadSettings(min_distance_m=distance_m))
    slack = 1e-6 * distance_m + 1e-3
    for index in range(len(points)):
        nearest = min((haversine_m(points[index], points[other]) for other in taken if other < index), default=math.inf)
        assert nearest > distance_m - slack if index in taken else nearest < distance_m + slack


@given(points=POINTS, distance_m=st.floats(1.0, 2.1e7), shift=st.floats(-360, 360))
def test_distances_do_not_depend_on_where_longitude_begins(
    points: list[tuple[float, float]], distance_m: float, shift: float
) -> None:
    settings = SpreadSettings(min_distance_m=distance_m)
    a, b = points[:2]
    if abs(haversine_m(a, b) - distance_m) > 1e-6 * distance_m + 1e-3:
        turned = [((x + shift + 180.0) % 360.0 - 180.0, y) for x, y in (a, b)]
        one_way = len(kept(footprints(dots([a, b])), [0, 1], settings))
        assert len(kept(footprints(dots(turned)), [0, 1], settings)) == one_way
        assert len(kept(footprints(dots([b, a])), [0, 1], settings)) == one_way


def test_pairs_across_the_pole_and_the_date_line_are_near() -> None:
    points = [(0.0, 89.999), (180.0, 89.999), (179.999, 0.0), (-179.999, 0.0)]
    assert kept(footprints(dots(points)), [0, 1, 2, 3], SpreadSettings(min_distance_m=300.0)) == [0, 2]
    assert kept(footprints(dots(points)), [0, 1, 2, 3], SpreadSettings(min_distance_m=200.0)) == [0, 1, 2, 3]


def test_a_metre_can_be_told_from_two() -> None:
    metre = math.degrees(1.0 / EARTH_RADIUS_M)
    points = footprints(dots([(100.0, 60.0), (100.0, 60.0 + metre), (100.0, 60.0 + 3 * metre)]))
    assert kept(points, [0, 1, 2], SpreadSettings(min_distance_m=1.5)) == [0, 2]


def test_samples_without_a_place_are_far_from_everything() -> None:
    bounds = np.array([NOWHERE, NOWHERE, [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, math.inf, 1]])
    assert kept(footprints(bounds), [0, 1, 2, 3, 4], SpreadSettings(min_distance_m=2.1e7)) == [0, 1, 2, 4]


def test_leased_samples_and_those_handed_out_anyway_keep_others_away() -> None:
    points = footprints(dots([(0.0, 0.0), (0.001, 0.0), (5.0, 0.0), (5.001, 0.0), (9.0, 0.0)]))
    found = spread([1, 3, 4], 3, points, SpreadSettings(min_distance_m=500.0), leased=[0], beside=[2])
    assert found.kept.tolist() == [2]
    assert found.shortfall(3, SpreadSettings(min_distance_m=500.0)) == (
        "2 fewer: the other candidates lie within 500 m of these or of samples on lease"
    )


def test_the_next_best_take_the_room_of_those_passed_over() -> None:
    points = footprints(dots([(0.0, 0.0), (0.001, 0.0), (5.0, 0.0), (9.0, 0.0)]))
    settings = SpreadSettings(min_distance_m=500.0)
    found = spread([0, 1, 2, 3], 2, points, settings)
    assert found.kept.tolist() == [0, 2]
    assert found.near == 1
    assert found.shortfall(2, settings) is None


def test_a_group_gets_its_quota_and_what_matches_nothing_has_none() -> None:
    paths = ["S2A_1.tif", "S2A_2.tif", "S2B_1.tif", "S2A_3.tif", "odd_1.tif", "odd_2.tif", "odd_3.tif"]
    points = footprints(np.array([NOWHERE] * 7), paths)
    settings = SpreadSettings(group_pattern=r"(S2[AB])_", max_per_group=2)
    assert kept(points, list(range(7)), settings) == [0, 1, 2, 4, 5, 6]
    assert kept(points, list(range(1, 7)), settings, beside=[0]) == [1, 2, 4, 5, 6]
    assert kept(points, list(range(7)), SpreadSettings(group_pattern=r"S2[AB]", max_per_group=1)) == [0, 2, 4, 5, 6]
    assert kept(points, list(range(7)), SpreadSettings(group_pattern=r"(S2[AB])_")) == list(range(7))
    assert spread(range(4), 4, points, settings).shortfall(4, settings) == (
        "1 fewer: the other candidates are of groups that have 2 samples here already"
    )


def test_an_optional_group_that_took_no_part_is_no_group() -> None:
    points = footprints(np.array([NOWHERE] * 3), ["a.tif", "b.tif", "x-c.tif"])
    assert kept(points, [0, 1, 2], SpreadSettings(group_pattern=r"(x-)?\w\.tif", max_per_group=1)) == [0, 1, 2]


def test_repeated_acquisitions_come_last() -> None:
    points = footprints(squares([(3.0, 0.0), (3.0, 0.0), (4.0, 0.0), (5.0, 0.0), (5.0, 0.0)]))
    settings = SpreadSettings(once_per_place=True)
    found = spread([0, 1, 2, 3, 4], 5, points, settings)
    assert found.kept.tolist() == [0, 2, 3, 1, 4]
    assert found.repeats == 2
    assert kept(points, [0, 2, 3], settings, asked=lambda rows: rows == 1) == [2, 3, 0]
    assert kept(points, [0, 2, 3], settings, beside=[1]) == [2, 3, 0]
    assert kept(points, [0, 1, 2], SpreadSettings()) == [0, 1, 2]


def test_one_acquisition_of_each_place_is_ranked_until_all_were_asked_about() -> None:
    points = footprints(np.concatenate([squares([(3.0, 0.0), (3.0, 0.0), (4.0, 0.0), (4.0, 0.0)]), [NOWHERE] * 2]))
    every, rng = np.arange(6), np.random.default_rng(0)
    drawn = [tuple(first_of_each_place(every, np.array([4]), points, rng).tolist()) for _ in range(60)]
    assert set(drawn) == {(a, b, 5) for a in (0, 1) for b in (2, 3)}
    assert first_of_each_place(every[[1, 3, 5]], np.array([0]), points, rng).tolist() == [3, 5]
    assert first_of_each_place(every[[1, 3]], np.array([0, 2]), points, rng).tolist() == [1, 3]


def test_samples_registered_since_the_footprints_were_read_wait() -> None:
    points = footprints(dots([(0.0, 0.0), (1.0, 0.0)]))
    found = spread([7, 1, 0], 3, points, SpreadSettings(min_distance_m=1.0), leased=[9], beside=[8])
    assert found.kept.tolist() == [1, 2]
    assert first_of_each_place(np.array([0, 1, 7]), np.array([8]), points, np.random.default_rng(0)).tolist() == [
        0,
        1,
        7,
    ]
    more = points.extended(Footprints(np.array([7]), dots([(0.0, 0.0)]), points.paths[:1]))
    assert kept(more, [7, 1, 0], SpreadSettings(min_distance_m=1.0)) == [7, 1]


@pytest.mark.parametrize(
    "settings",
    [
        SpreadSettings(min_distance_m=1.0),
        SpreadSettings(once_per_place=True),
        SpreadSettings(group_pattern="a", max_per_group=1),
    ],
)
def test_rules_are_off_by_default_and_work_on_nothing(settings: SpreadSettings) -> None:
    assert not is_on(SpreadSettings())
    assert is_on(settings)
    assert spread([], 3, footprints(np.empty((0, 4))), settings).kept.tolist() == []
