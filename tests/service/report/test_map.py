"""The map of a card."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.report.map import LEAST_SIDE, extent_told, map_svg

degrees = st.floats(-179, 179)
boxes = st.tuples(degrees, st.floats(-89, 88), st.floats(1e-6, 5), st.floats(1e-6, 1)).map(
    lambda box: [box[0], box[1], (box[0] + box[2] + 180) % 360 - 180, box[1] + box[3]]
)


@given(st.lists(boxes, min_size=1, max_size=8))
def test_every_footprint_lies_on_the_map_and_can_be_seen(footprints: list[list[float]]) -> None:
    svg = map_svg(footprints)
    (frame,) = re.findall(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg)
    width, height = map(float, frame)
    shown = re.findall(r'class="footprint" x="(.+?)" y="(.+?)" width="(.+?)" height="(.+?)"', svg)
    assert len(shown) == len(footprints)
    for part in shown:
        x, y, wide, high = map(float, part)
        assert min(wide, high) >= LEAST_SIDE - 0.1
        assert -1 <= x <= x + wide <= width + 1
        assert -1 <= y <= y + high <= height + 1


def test_footprints_across_the_date_line_lie_side_by_side() -> None:
    svg = map_svg([[179.9, -17.1, -179.9, -17.0], [-179.8, -17.1, -179.7, -17.0]])
    lefts = [float(value) for value in re.findall(r'class="footprint" x="([-0-9.]+)"', svg)]
    assert lefts[0] < lefts[1]
    assert "179.900° E to 179.700° W" in svg


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ([-1.5, -2.5, -1.25, -2.25], "1.500° W to 1.250° W, 2.500° S to 2.250° S"),
        ([1.5, 2.5, 1.75, 2.75], "1.500° E to 1.750° E, 2.500° N to 2.750° N"),
    ],
)
def test_extent_is_told_by_its_sides(box: list[float], said: str) -> None:
    assert extent_told([box]) == said


@given(boxes)
def test_words_lie_on_the_map(box: list[float]) -> None:
    svg = map_svg([box])
    ((width, height),) = re.findall(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg)
    for x, y, anchor, words in re.findall(r'<text x="(.+?)" y="(.+?)"(?: text-anchor="(\w+)")?>(.+?)</text>', svg):
        wide = 6.8 * len(words)  # of a character at 12 px
        left = float(x) - {"end": wide, "middle": wide / 2, "": 0.0}[anchor]
        assert left >= -1
        assert left + wide <= float(width) + 8
        assert 8 <= float(y) <= float(height)
