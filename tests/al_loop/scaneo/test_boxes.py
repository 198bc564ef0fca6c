"""Where boxes of a detector are drawn in SCANEO."""

import pytest

from al_loop.domain.samples import SampleHeader
from al_loop.domain.scaneo_links import OfferedBox
from al_loop.scaneo.boxes import box_corners
from tests.al_loop.store.fixtures import make_header

BOX = OfferedBox(path="a.tif", label="boat", box=(10.0, 20.0, 30.0, 40.0))
LOCAL = 'LOCAL_CS["site",UNIT["metre",1]]'


def degrees_from(west: float) -> SampleHeader:
    return make_header(
        crs="EPSG:4326", transform=[0.01, 0.0, west, 0.0, -0.01, 10.0], bounds=[west, 9.36, west + 0.64, 10.0]
    )


def test_box_is_drawn_once_on_one_side_of_the_date_line() -> None:
    assert box_corners(BOX, degrees_from(5.0)) == [pytest.approx([9.6, 5.1, 9.8, 5.3])]


def test_box_across_the_date_line_is_drawn_on_both_sides() -> None:
    west, east = sorted(box_corners(BOX, degrees_from(179.8)), key=lambda corners: corners[1])
    assert west == pytest.approx([9.6, -180.0, 9.8, -179.9])
    assert east == pytest.approx([9.6, 179.9, 9.8, 180.0])


def test_box_without_a_place_is_not_drawn() -> None:
    assert box_corners(BOX, make_header(crs=LOCAL, bounds=None, place_problem="its CRS has no way")) == []
