from pathlib import Path

import numpy as np
import pytest
import rasterio

from models.errors import SuperResolutionError, UnusableRasterError
from models.super_resolution import resolver as module
from models.super_resolution.resolver import SuperResolver
from models.super_resolution.scene import resolve_scene
from tests.models.super_resolution.fixtures import land, write_raster


def test_scene_becomes_a_cog_of_the_same_ground_that_says_that_it_is_synthetic(
    super_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TILE_PX", 32)
    image = land(1, 90)
    image[:, :40, :40] = np.nan
    scene, out, seen = write_raster(tmp_path / "scene.tif", image), tmp_path / "twice.tif", []
    resolver = SuperResolver(super_model)
    made = resolve_scene(resolver, scene, out, report=lambda done, total: seen.append((done, total)))
    with rasterio.open(out) as file, rasterio.open(scene) as given:
        assert file.tags()["SYNTHETIC"] == "YES"
        assert "synthetic, not a measurement" in file.tags()["SYNTHETIC_METHOD"]
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (file.bounds, file.crs, file.res) == (given.bounds, given.crs, (5.0, 5.0))
        assert file.descriptions[0] == "band 1, synthetic"
        assert file.read() == pytest.approx(resolver(image), abs=1e-3, nan_ok=True)
    assert (made.width, made.height, made.synthetic) == (180, 180, True)
    assert seen[-1] == (len(seen) - 1, len(seen))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.tif", "twice.tif"]


def test_scene_without_a_place_is_taken(super_model: Path, tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "scene.tif", land(2, 20), corner=None)
    assert resolve_scene(SuperResolver(super_model), scene, tmp_path / "out.tif").width == 40


def test_what_cannot_be_super_resolved_is_refused_and_leaves_nothing(super_model: Path, tmp_path: Path) -> None:
    resolver, out = SuperResolver(super_model), tmp_path / "out.tif"
    empty = write_raster(tmp_path / "empty.tif", np.full((3, 20, 20), np.nan, np.float32))
    with pytest.raises(UnusableRasterError, match="every pixel is nodata"):
        resolve_scene(resolver, empty, out)
    four = write_raster(tmp_path / "four.tif", land(1, 20, 4))
    with pytest.raises(UnusableRasterError, match="it has 4 bands"):
        resolve_scene(resolver, four, out)
    with pytest.raises(SuperResolutionError, match="is the scene itself"):
        resolve_scene(resolver, empty, empty)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.tif", "four.tif"]
