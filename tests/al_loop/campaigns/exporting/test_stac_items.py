"""Items of images and labels."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from al_loop.campaigns.exporting.stac_items import file_time, image_item, label_features, label_item
from al_loop.domain.labels import LabelInput
from models.card import TaskSpec
from tests.al_loop.campaigns.exporting.test_round_trip import headers, stored
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.data.stac_validation import validate

SPEC = TaskSpec(task="classification", classes=["forest", "water"])


def test_label_item_follows_the_label_extension(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif")
    sample = headers(tmp_path, ["a.tif"])[1]
    label = stored(1, LabelInput(path="a.tif", task="classification", annotator="ana", classes=["water"]), 1)
    features = label_features(label, sample) or []
    found = label_item(SPEC, label, sample, features)
    assert validate(found)[-1].endswith("label/v1.0.1/schema.json")
    assert found["properties"]["label:classes"] == [{"name": "label", "classes": ["forest", "water"]}]
    assert found["properties"]["label:overviews"][0]["counts"] == [{"name": "water", "count": 1}]
    assert features[0]["geometry"]["type"] == "Polygon"
    assert "ana" not in msgspec.json.encode(found).decode()


def test_image_across_the_date_line_has_a_valid_item(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif")
    sample = msgspec.structs.replace(headers(tmp_path, ["a.tif"])[1], bounds=[179.0, 0.0, -179.0, 1.0])
    found = image_item(sample, None)
    assert validate(found)
    assert found["bbox"] == [179.0, 0.0, -179.0, 1.0]
    assert found["geometry"]["type"] == "MultiPolygon"


def test_time_of_an_image_is_that_of_its_file(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif")
    sample = msgspec.structs.replace(headers(tmp_path, ["a.tif"])[1], modified_ns=1_700_000_000 * 10**9)
    assert file_time(sample) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
