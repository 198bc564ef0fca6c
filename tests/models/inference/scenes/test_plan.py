"""Rows of tiles cover a scene once, whatever memory they may take and wherever they are taken up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.inference.scenes import plan as plans
from models.inference.scenes.plan import ScenePlan
from models.rasters.tiling import tiles


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 5), st.sampled_from([2**12, 2**17, 2**28]))
def test_finished_parts_cover_the_scene_once_and_are_seen_by_all_their_tiles(
    height: int, width: int, outputs: int, most: int
) -> None:
    cut = list(tiles(height, width, 128, 32, 32))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plans, "BUFFER_BYTES", most)
        plan = ScenePlan(cut, height, width, outputs)
    covered = np.zeros((height, width), np.int32)
    for number, part in plan.parts_from(0):
        assert not part.lead
        column, row, wide, tall = part.finished
        covered[row : row + tall, column : column + wide] += 1
        reaching = {
            tile
            for tile in cut
            if tile.read.row == part.tiles[0].read.row
            and tile.read.column < column + wide
            and tile.read.column + tile.read.width > column
        }
        assert set(part.tiles) == reaching
        assert number < plan.parts
    assert (covered == 1).all()


def test_resumed_plan_begins_with_what_reaches_into_its_first_row() -> None:
    plan = ScenePlan(list(tiles(500, 200, 128, 32, 32)), 500, 200, 3)
    parts = list(plan.parts_from(2))
    assert [(number, part.lead) for number, part in parts][:2] == [(2, True), (2, False)]
    assert parts[0][1].tiles[0].read.row + 128 > parts[1][1].finished.row
    assert plan.parts > 3
