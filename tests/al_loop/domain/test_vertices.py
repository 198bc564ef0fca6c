import pytest
from shapely import LineString, MultiLineString, MultiPolygon

from al_loop.domain.feature_collections import GivenFeature
from al_loop.domain.vertices import MAX_COORDINATE, area_of, line_of
from al_loop.errors import InvalidValueError

SQUARE = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 0.0]]


def lines(*parts: list[list[float]], single: bool = False) -> GivenFeature:
    return GivenFeature("$", {}, [], single, True, lines=[(part, f"$[{n}]") for n, part in enumerate(parts)])


def test_lines_and_areas_are_what_was_sent_without_heights() -> None:
    assert line_of(lines([[0, 0, 9], [1, 1, 9]], single=True)) == LineString([(0, 0), (1, 1)])
    assert isinstance(line_of(lines([[0, 0], [1, 1]])), MultiLineString)
    assert isinstance(area_of(GivenFeature("$", {}, [([SQUARE], "$")], False, True)), MultiPolygon)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ([[0, 0]], "a line needs 2 or more"),
        ([[0, 0], [0, 0], [0, 0]], "has no length"),
        ([[0, 0], [2 * MAX_COORDINATE, 0]], "no place on Earth"),
        ([[0, 0], [float("nan"), 0]], "not a finite number"),
    ],
)
def test_positions_that_make_no_line_are_refused(part: list[list[float]], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        line_of(lines(part))


def test_ring_that_is_not_closed_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="not closed"):
        area_of(GivenFeature("$", {}, [([[*SQUARE[:3], [1.0, 1.0]]], "$")], True, True))
