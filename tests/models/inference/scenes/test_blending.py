"""Blended probabilities are probabilities, and equal tiles give what they hold."""

import numpy as np

from models.inference.scenes.blending import Blender, tile_weights
from models.inference.scenes.plan import ScenePlan
from models.rasters.tiling import tiles


def test_weights_fall_to_the_edge_and_are_never_nothing() -> None:
    weights = tile_weights(128, 96, 32)
    assert weights.min() > 0
    assert weights[64, 48] == 1.0
    assert (np.diff(weights[64, 8:24]) > 0).all()
    assert (weights[64, :8] < 1e-3).all()
    np.testing.assert_array_equal(weights, weights[::-1, ::-1])


def test_tiles_of_one_map_give_that_map_and_skipped_tiles_nothing() -> None:
    whole = np.random.default_rng(0).dirichlet(np.ones(3), (300, 250)).astype(np.float32).transpose(2, 0, 1)
    plan = ScenePlan(list(tiles(300, 250, 128, 32, 32)), 300, 250, 3)
    blender, result, valid = Blender(3, 32), np.zeros_like(whole), np.zeros((300, 250), np.bool_)
    for _, part in plan.parts_from(0):
        blender.begin(part)
        for tile in part.tiles:
            column, row, width, height = tile.read
            if (column, row) != (0, 0):
                seen = np.ones((height, width), np.bool_)
                blender.add(tile.read, seen, whole[:, row : row + height, column : column + width])
        column, row, width, height = part.finished
        valid[row : row + height, column : column + width], result[:, row : row + height, column : column + width] = (
            blender.finished(part.finished)
        )
    np.testing.assert_allclose(result[:, valid], whole[:, valid], atol=1e-6)
    assert not valid[:96, :96].any()
    assert valid[128:].all()
