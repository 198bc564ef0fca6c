"""Boxes of a large image from its tiles: none is lost at a seam, none is there twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rasters.tiling import Window, tiles
from models.tasks.detection.boxes import SCORE
from models.tasks.detection.tiles import BoxesOverTiles, boxes_of_window


def gathered(objects: np.ndarray, height: int, width: int, noise: float, seed: int = 0) -> np.ndarray:
    """What a model that sees every object of a tile, off by some noise, answers for the whole image."""
    rng = np.random.default_rng(seed)
    whole = BoxesOverTiles(height, width)
    for tile in tiles(height, width, 128, 32, 32):
        corner = np.array([tile.read.column, tile.read.row] * 2, np.float32)
        answer = np.zeros((50, 6), np.float32)
        seen = objects - corner
        middle = (seen[:, :2] + seen[:, 2:]) / 2
        shown = ((middle >= 0) & (middle < [tile.read.width, tile.read.height])).all(axis=1)
        found = seen[shown] + rng.uniform(-noise, noise, (shown.sum(), 4))
        answer[: len(found), :4], answer[: len(found), SCORE] = found, rng.uniform(0.3, 0.9, len(found))
        inner = Window(tile.write.column - tile.read.column, tile.write.row - tile.read.row, *tile.write[2:])
        valid = np.ones((tile.write.height, tile.write.width), np.bool_)
        whole.add(tile.write, valid, boxes_of_window(answer, inner))
    return whole.result()


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 11)), min_size=1, max_size=40, unique=True),
       st.integers(0, 9))  # fmt: skip
def test_each_object_is_found_once_wherever_the_seams_lie(places: list[tuple[int, int]], seed: int) -> None:
    corners = np.array(places, np.float64) * 20 + seed
    objects = np.concatenate([corners, corners + 12], axis=1)
    found = gathered(objects, 260, 330, noise=1.0, seed=seed)
    assert len(found) == len(objects)
    distance = np.abs(found[:, None, :4] - objects[None]).max(axis=2)
    assert (distance.min(axis=0) <= 1.0).all()
    assert (np.diff(found[:, SCORE]) <= 0).all()


def test_boxes_are_cut_at_the_edges_of_the_image() -> None:
    found = gathered(np.array([[-4.0, -4.0, 8.0, 8.0]]), 260, 330, noise=0.0)
    np.testing.assert_array_equal(found[:, :4], [[0, 0, 8, 8]])


def test_neighbours_of_one_tile_both_stay() -> None:
    whole = BoxesOverTiles(64, 64)
    answer = np.array([[0, 0, 10, 10, 0.9, 0], [1, 0, 11, 10, 0.8, 0]], np.float32)
    whole.add(Window(0, 0, 64, 64), np.ones((64, 64), np.bool_), answer)
    assert len(whole.result()) == 2


@pytest.mark.parametrize(("x", "score"), [(40, 0.9), (70, 0.0), (-30, 0.0)])
def test_window_answers_for_boxes_whose_centre_lies_in_it(x: int, score: float) -> None:
    answer = np.array([[[x, 20, x + 8, 28, 0.9, 0]]], np.float32)
    (found,) = boxes_of_window(answer, Window(10, 10, 40, 40))
    assert found[0, SCORE] == pytest.approx(score)
    assert found[0, 0] == x - 10
