"""Outlines of noisy masks have few corners and stay where the thing is."""

import numpy as np
import pytest
import shapely

from al_loop.serving.sam.smoothing import smoothed
from models.rasters.masks import codes_to_polygons


def ragged(side: int, seed: int = 0) -> tuple[shapely.geometry.base.BaseGeometry, shapely.Polygon]:
    """A square with a third of the pixels of a 6 px rim, and a twentieth of those inside, missing; and the square."""
    noise = np.random.default_rng(seed).random((side, side))
    mask = np.zeros((side, side), np.uint8)
    low, high = side // 4, 3 * side // 4
    mask[low:high, low:high] = noise[low:high, low:high] > 1 / 3
    inner = slice(low + 6, high - 6)
    mask[inner, inner] = noise[inner, inner] > 1 / 20
    ((_, found),) = codes_to_polygons(mask)
    return found, shapely.box(low, low, high, high)


@pytest.mark.parametrize("side", [128, 512])
def test_ragged_outline_has_few_corners_and_the_same_place(side: int) -> None:
    area, wanted = ragged(side)
    before = shapely.get_num_coordinates(area)
    after = smoothed(area, np.array([[side / 2 + 0.5, side / 2 + 0.5]]))
    assert after.is_valid
    assert after.geom_type == "Polygon"
    assert shapely.get_num_coordinates(after) < before / 10
    assert after.intersection(wanted).area / after.union(wanted).area > 0.9


@pytest.mark.parametrize("line", [shapely.box(10, 20, 90, 21), shapely.box(40.0, 3, 41.0, 95)])
def test_narrow_thing_is_not_lost(line: shapely.Polygon) -> None:
    point = line.centroid
    after = smoothed(line, np.array([[point.x, point.y]]))
    assert after.intersection(line).area / after.union(line).area > 0.85


def test_square_corners_stay() -> None:
    square = shapely.box(10, 10, 60, 50)
    assert smoothed(square, np.array([[30.5, 30.5]])).symmetric_difference(square).area < 1


def test_every_point_keeps_its_part() -> None:
    two = shapely.MultiPolygon([shapely.box(0, 0, 30, 30), shapely.box(60, 60, 63, 63)])
    points = np.array([[10.5, 10.5], [61.5, 61.5]])
    after = smoothed(two, points)
    assert shapely.covers(after, shapely.points(points)).all()
    assert len(shapely.get_parts(after)) == 2
