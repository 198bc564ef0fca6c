"""Predictions are items that say what they come from."""

from datetime import UTC, datetime
from typing import Any

import pytest

from al_loop.campaigns.stac.prediction_items import prediction_item
from tests.data.stac_validation import validate

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SQUARE: dict[str, Any] = {"type": "Polygon", "coordinates": [[[1, 2], [3, 2], [3, 4], [1, 4], [1, 2]]]}
COLOURS = {"water": "#0064c8", "sea ice": "#f0f0f0"}


@pytest.mark.parametrize("file", ["mask.tif", "areas.geojson"])
@pytest.mark.parametrize("geometry", [SQUARE, None])
def test_item_is_valid_and_derived_from_scene_and_model(file: str, geometry: dict[str, Any] | None) -> None:
    found = prediction_item("p", "segmentation", COLOURS, file, "../scene.tif", "fields", "v3", geometry, NOON)
    assert len(validate(found)) == 2
    sources = [link for link in found["links"] if link["rel"] == "derived_from"]
    assert [link["href"] for link in sources] == ["../scene.tif", "./models/v3/v3.json"]
    assert sources[1]["mlm:name"] == "fields-v3"
    assert found["properties"]["label:methods"] == ["automated"]


def test_codes_of_a_mask_have_names_and_colours() -> None:
    found = prediction_item("p", "segmentation", COLOURS, "mask.tif", "scene.tif", "m", "v1", SQUARE, NOON)
    classes = found["assets"]["prediction"]["classification:classes"]
    assert [(entry["value"], entry["description"]) for entry in classes[1:]] == [(1, "water"), (2, "sea ice")]
    assert classes[1]["color_hint"] == "0064C8"
