"""Tiles come in order, from a file that is opened once; errors come where the tile is asked for."""

from pathlib import Path

import numpy as np
import pytest

from models.card import BandPolicy
from models.errors import MissingRasterError, SceneError
from models.inference.scenes.reading import check_unchanged, tiles_ahead
from models.rasters.opening.sidecars import stamp
from models.rasters.reading import read_raster
from models.rasters.tiling import tiles
from tests.data.make_scene import make_scene


def test_tiles_are_those_of_the_file_in_order(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=300, height=200)
    plan, whole = list(tiles(200, 300, 64, 16, 16)), read_raster(path, [1, 3])
    with tiles_ahead(path, "a.tif", [1, 3], BandPolicy(), plan) as read:
        for tile in plan:
            column, row, width, height = tile.read
            np.testing.assert_array_equal(read(tile.read), whole[:, row : row + height, column : column + width])


def test_reader_ends_with_its_block_though_tiles_are_left(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=300, height=200)
    plan = list(tiles(200, 300, 64, 16, 16))
    with tiles_ahead(path, "a.tif", [1], BandPolicy(), plan) as read:
        read(plan[0].read)
        with pytest.raises(RuntimeError, match="was asked for"):
            read(plan[5].read)


def test_missing_scene_is_told_where_it_is_asked_for(tmp_path: Path) -> None:
    plan = list(tiles(200, 300, 64, 16, 16))
    gone = tmp_path / "gone.tif"
    with tiles_ahead(gone, "gone.tif", [1], BandPolicy(), plan) as read, pytest.raises(MissingRasterError):
        read(plan[0].read)


def test_change_is_noticed(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif")
    before = stamp(path)
    check_unchanged(path, "a.tif", before)
    make_scene(path, width=99)
    with pytest.raises(SceneError, match="was changed"):
        check_unchanged(path, "a.tif", before)
