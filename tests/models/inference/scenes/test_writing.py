"""Files of answers: overviews of codes hold codes, and features are written one by one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely

from models.inference.scenes.writing import placed_feature, write_codes, write_features

WHERE = ("EPSG:32631", [10.0, 0.0, 500_000.0, 0.0, -10.0, 4_600_000.0])


def test_overviews_of_codes_hold_no_codes_between(tmp_path: Path) -> None:
    codes = np.where(np.indices((1500, 1400)).sum(axis=0) // 300 % 2 == 1, np.uint8(1), np.uint8(9))
    rows: list[int] = []
    write_codes(tmp_path / "a.tif", codes, WHERE, ["x"] * 9, {"SCENE": "s"}, lambda done, total: rows.append(done))
    with rasterio.open(tmp_path / "a.tif", overview_level=0) as dataset:
        assert set(np.unique(dataset.read(1)).tolist()) == {1, 9}
    assert rows == [512, 1024, 1500]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif"]


def test_file_that_is_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "a.geojson"
    out.write_text("old")

    def failing() -> Iterator[dict[str, Any]]:
        yield {"type": "Feature"}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_features(out, "a", failing(), {})
    assert out.read_text() == "old"
    assert write_features(out, "a", iter([{"type": "Feature"}] * 3), {"k": "v"}) == 3
    assert len(json.loads(out.read_bytes())["features"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.geojson"]


def test_feature_without_a_place_is_in_pixels_and_says_so() -> None:
    area = shapely.box(0, 0, 10, 10)
    nowhere = placed_feature(area, {"class": "x"}, (None, None))
    assert (nowhere["properties"]["crs"], shapely.geometry.shape(nowhere["geometry"]).bounds) == (
        "pixel",
        (0, 0, 10, 10),
    )
    placed = placed_feature(area, {"class": "x"}, WHERE)
    assert placed["properties"]["crs"] == "EPSG:4326"
    assert shapely.geometry.shape(placed["geometry"]).bounds[0] == pytest.approx(3.0, abs=1e-6)
