"""What the item of a label says."""

from pathlib import Path
from typing import Any

import numpy as np

from al_loop.campaigns.importing import plan_import
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.al_loop.campaigns.importing.stac.folders import features, label_item, write_folder

CODES = [{"value": 0, "name": "background"}, {"value": 3, "name": "road"}, {"value": 7, "name": "water"}]


def raster_label(**asset: Any) -> dict[str, Any]:
    label = label_item(assets={"labels": {"href": "mask.tif", "type": "image/tiff", "roles": ["labels"], **asset}})
    label["properties"] |= {"label:type": "raster", "label:properties": None}
    label["properties"]["label:classes"] = [{"name": None, "classes": ["road", "water"]}]
    return label


def problem(root: Path, label: dict[str, Any] | None, content: Any = None) -> str:
    return {
        entry.path: entry.reason for entry in plan_import(write_folder(root, None, label, content=content)).problems
    }["a-labels.json"]


def test_raster_of_codes_is_read_by_its_classes(tmp_path: Path) -> None:
    codes = np.zeros((8, 10), np.uint8)
    codes[:2], codes[4:6] = 3, 7
    write_raster(tmp_path / "mask.tif", codes)
    plan = plan_import(write_folder(tmp_path, None, raster_label(**{"classification:classes": CODES})))
    label = next(label for label in plan.labels() if label.path == "a.tif")
    assert label.crs == "pixel"
    assert [f["properties"]["label"] for f in (label.features or {})["features"]] == ["road", "water"]


def test_raster_whose_codes_nobody_names_is_refused(tmp_path: Path) -> None:
    write_raster(tmp_path / "mask.tif", np.ones((8, 10), np.uint8))
    assert "which code is which class" in problem(tmp_path, raster_label())


def test_raster_with_an_unknown_code_is_refused(tmp_path: Path) -> None:
    write_raster(tmp_path / "mask.tif", np.full((8, 10), 9, np.uint8))
    assert "holds 9" in problem(tmp_path, raster_label(**{"classification:classes": CODES}))


def test_feature_without_a_class_is_refused(tmp_path: Path) -> None:
    content = features("water")
    content["features"][0]["properties"] = {"other": 1}
    assert "feature 0 has no 'kind'" in problem(tmp_path, None, content)


def test_feature_without_geometry_is_refused(tmp_path: Path) -> None:
    content = features("water")
    content["features"][0]["geometry"] = None
    assert "without a geometry" in problem(tmp_path, None, content)


def test_several_class_properties_are_refused(tmp_path: Path) -> None:
    label = label_item()
    label["properties"]["label:classes"] *= 2
    assert "2 properties" in problem(tmp_path, label)


def test_tile_classification_is_a_class_of_the_image(tmp_path: Path) -> None:
    content = features("water", "road")
    for feature in content["features"]:
        feature["geometry"] = None
    plan = plan_import(write_folder(tmp_path, None, label_item(task="tile_classification"), content=content))
    found = {(label.path, label.task): label.classes for label in plan.labels()}
    assert found["a.tif", "classification"] == ["water", "road"]


def test_crs_of_an_older_geojson_is_kept(tmp_path: Path) -> None:
    content = features("water") | {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32630"}}}
    plan = plan_import(write_folder(tmp_path, None, None, content=content))
    assert {label.crs for label in plan.labels()} == {"urn:ogc:def:crs:EPSG::32630", "EPSG:4326"}


def test_item_of_several_tasks_asks_which(tmp_path: Path) -> None:
    label = label_item()
    label["properties"]["label:tasks"] = ["segmentation", "detection"]
    assert "--task" in problem(tmp_path / "asked", label)
    assert plan_import(write_folder(tmp_path / "in", None, label), task="detection").label_counts == {"detection": 1}
