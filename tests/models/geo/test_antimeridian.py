"""Areas are cut at the date line and at nothing else."""

import numpy as np
import pytest
import shapely

from models.geo.antimeridian import cut_at_date_line, cut_at_turns, rejoined

NO_POLES = np.full((2, 2), np.inf)


@pytest.mark.parametrize("shift", [-360.0, 0.0, 360.0])
def test_longitudes_beyond_180_are_cut_and_brought_back(shift):
    cut = cut_at_turns(shapely.box(170.0 + shift, 10.0, 190.0 + shift, 20.0))

    west, east = sorted(part.bounds for part in shapely.get_parts(cut))
    assert west == (-180.0, 10.0, -170.0, 20.0)
    assert east == (170.0, 10.0, 180.0, 20.0)


def test_area_between_the_limits_stays_as_it_is():
    box = shapely.box(-180.0, -90.0, 180.0, 90.0)
    assert cut_at_turns(box) is box


def wrapped(xy):
    """An image whose columns are degrees east of 170."""
    return np.column_stack([(xy[:, 0] + 170.0 + 180.0) % 360.0 - 180.0, -xy[:, 1]])


def test_hole_that_crosses_the_date_line_stays_a_hole():
    ring = shapely.Polygon(shapely.box(0, 0, 20, 20).exterior, [shapely.box(5, 5, 15, 15).exterior])

    cut = cut_at_date_line(ring, wrapped, NO_POLES)

    assert cut.area == pytest.approx(300.0)
    assert not shapely.contains_xy(cut, [179.0, -179.0], [-10.0, -10.0]).any()
    assert shapely.contains_xy(cut, [171.0, -171.0], [-10.0, -10.0]).all()


def test_vertex_without_a_place_leaves_no_area():
    assert cut_at_date_line(shapely.box(0, 0, 5, 5), lambda xy: np.full(xy.shape, np.inf), NO_POLES) is None


def test_parts_that_were_cut_at_the_date_line_are_one_again_and_others_stay():
    beside, elsewhere = shapely.box(179.5, 5, 180, 6), shapely.box(20, 9, 21, 10)
    cut = cut_at_turns(shapely.box(179.8, 9, 180.3, 10))
    assert len(cut.geoms) == 2
    joined = rejoined(shapely.MultiPolygon([*cut.geoms, beside, elsewhere]))
    assert sorted(part.bounds for part in joined.geoms) == [elsewhere.bounds, beside.bounds, (179.8, 9, 180.3, 10)]
    for area in (elsewhere, shapely.MultiPolygon([beside, elsewhere]), shapely.box(-180, 80, 180, 90)):
        assert rejoined(area) is area
