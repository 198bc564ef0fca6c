"""Boxes of labels: bad ones, those that a window cuts, and those of a turned image."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from models.card import BACKGROUND, IGNORE
from models.tasks.detection.boxes import CLASS, IGNORED, areas, box_rows, boxes_in, read_boxes, turned
from models.training.data.augmentations import DIHEDRAL_SIZE, turn


def polygon(*corners: tuple[float, float]) -> bytes:
    return bytes(shapely.to_wkb(shapely.Polygon(corners)))


def rectangle(left: float, top: float, right: float, bottom: float) -> bytes:
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def encoded(*polygons: tuple[int, bytes]) -> np.ndarray:
    return read_boxes(box_rows(polygons))


@pytest.mark.parametrize("corners", [(2, 3, 7, 9), (7, 9, 2, 3), (7, 3, 2, 9), (2, 9, 7, 3)])
def test_corners_in_any_order_are_the_same_box(corners: tuple[float, float, float, float]) -> None:
    np.testing.assert_array_equal(encoded((1, rectangle(*corners))), [[2, 3, 7, 9, 0]])


def test_boxes_of_no_area_are_left_out() -> None:
    point, line = rectangle(4, 4, 4, 4), rectangle(4, 4, 9, 4)
    np.testing.assert_array_equal(
        encoded((1, point), (2, rectangle(0, 0, 3, 3)), (1, line), (1, shapely.to_wkb(shapely.Polygon()))),
        [[0, 0, 3, 3, 1]],
    )


def test_background_is_no_object_and_ignored_regions_have_no_class() -> None:
    boxes = encoded((BACKGROUND, rectangle(0, 0, 9, 9)), (IGNORE, rectangle(1, 1, 5, 5)))
    np.testing.assert_array_equal(boxes, [[1, 1, 5, 5, IGNORED]])


def test_polygon_of_a_rotated_image_becomes_its_bounds() -> None:
    diamond = polygon((5, 0), (10, 5), (5, 10), (0, 5))
    np.testing.assert_array_equal(encoded((3, diamond)), [[0, 0, 10, 10, 2]])


def test_equal_boxes_both_stay() -> None:
    assert len(encoded((1, rectangle(0, 0, 3, 3)), (1, rectangle(0, 0, 3, 3)))) == 2


def test_no_polygons_are_no_boxes() -> None:
    assert encoded().shape == (0, 5)


def test_ten_thousand_boxes_are_read() -> None:
    rows = box_rows([(1, rectangle(number % 100, number // 100, number % 100 + 5, number // 100 + 5))
                     for number in range(10_000)])  # fmt: skip
    assert read_boxes(rows).shape == (10_000, 5)


def test_window_has_its_own_boxes() -> None:
    boxes = np.array(
        [
            [10, 10, 20, 20, 0],  # inside
            [28, 28, 38, 38, 1],  # little of it
            [26, 10, 36, 20, 1],  # half of it
            [50, 50, 60, 60, 0],  # outside
            [-5, -5, -1, -1, 0],
        ],
        np.float32,
    )
    found = boxes_in(boxes, 5, 5, 26, 26)
    np.testing.assert_array_equal(found, [[5, 5, 15, 15, 0], [23, 23, 26, 26, IGNORED], [21, 5, 26, 15, 1]])


sides = st.integers(0, 12)


@given(sides, sides, sides, sides, st.integers(0, DIHEDRAL_SIZE - 1), st.integers(13, 20), st.integers(13, 20))
def test_boxes_turn_with_their_image(
    left: int, top: int, right: int, bottom: int, element: int, width: int, height: int
) -> None:
    image = np.zeros((height, width), np.float32)
    image[top : bottom + 1, left : right + 1] = 1
    (found,) = turned(np.array([[left, top, right + 1, bottom + 1, 4]], np.float32), element, width, height)
    rows, columns = np.nonzero(turn(image, element))
    if len(rows) == 0:  # corners swapped: no pixel
        return
    assert found.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, 4]
    assert areas(found[None])[0] == image.sum()
    assert found[CLASS] == 4
