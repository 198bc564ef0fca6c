import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio

from models.errors import TrainingDataError
from models.training.data.statistics import estimate_statistics
from tests.data.make_scene import make_hostile, make_scene


def test_statistics_scale_each_band_by_its_percentiles(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    content = np.stack([rng.integers(0, 1000, (200, 300)), rng.integers(5000, 9000, (200, 300))])
    path = make_scene(tmp_path / "a.tif", width=300, height=200, bands=2, content=content)
    statistics = estimate_statistics([str(path)], [2, 1])
    assert statistics.low == pytest.approx([5000 + 80, 20], rel=0.05, abs=20)
    assert statistics.high == pytest.approx([9000 - 80, 980], rel=0.05)
    assert statistics.mean == pytest.approx([0.5, 0.5], abs=0.02)
    assert statistics.std == pytest.approx([0.3, 0.3], abs=0.02)
    assert statistics.samples == 1


def test_statistics_leave_invalid_pixels_out(tmp_path: Path) -> None:
    valid = make_scene(tmp_path / "a.tif", nodata=60000, nodata_as="value")
    assert max(estimate_statistics([str(valid)], [1, 2, 3]).high) < 60000


def test_statistics_of_a_band_leave_pixels_out_that_lack_it_only(tmp_path: Path) -> None:
    content = np.stack([np.full((48, 64), 5.0), np.full((48, 64), 7.0)])
    content[1, :40] = np.nan
    path = str(make_scene(tmp_path / "a.tif", bands=2, dtype="float32", content=content))
    statistics = estimate_statistics([path], [1, 2])
    assert (statistics.low, statistics.high, statistics.samples) == ([5, 7], [6, 8], 1)
    content[1] = np.nan
    path = str(make_scene(tmp_path / "b.tif", bands=2, dtype="float32", content=content))
    with pytest.raises(TrainingDataError, match="has a valid pixel"):
        estimate_statistics([path], [2])
    with pytest.raises(TrainingDataError, match="has a value in band 2"):
        estimate_statistics([path], [1, 2])


def test_statistics_find_the_valid_corner_of_a_large_raster(tmp_path: Path) -> None:
    content = np.zeros((1, 1500, 1500), np.uint16)
    content[:, :60, :60] = 700
    path = make_scene(
        tmp_path / "a.tif", width=1500, height=1500, bands=1, content=content, nodata=0, nodata_as="value"
    )
    with rasterio.open(path, "r+") as dataset:
        dataset.write(content)
    assert estimate_statistics([str(path)], [1]).low == [700.0]


def test_constant_band_maps_to_zero_and_stays_finite(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", content="constant")
    statistics = estimate_statistics([str(path)], [1])
    assert statistics.high[0] == statistics.low[0] + 1.0
    assert statistics.std[0] == pytest.approx(1e-3)


def test_unreadable_files_are_skipped_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good, few = make_scene(tmp_path / "good.tif"), make_scene(tmp_path / "few.tif", bands=1)
    bad = make_hostile("text", tmp_path / "bad.tif")
    with caplog.at_level(logging.WARNING):
        assert estimate_statistics([str(bad), str(good), str(few)], [3]).samples == 1
    assert "bad.tif" in caplog.text
    assert "few.tif" in caplog.text


def test_statistics_need_one_valid_pixel(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", content="constant", nodata_as="value", nodata=0)
    empty = make_scene(tmp_path / "b.tif", content=np.zeros((3, 48, 64)), nodata_as="value", nodata=0)
    assert estimate_statistics([str(path), str(empty)], [1]).samples == 1
    with pytest.raises(TrainingDataError, match="none of the 1 rasters"):
        estimate_statistics([str(empty)], [1])
