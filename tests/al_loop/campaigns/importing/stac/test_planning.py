"""Labels of STAC find their images; what cannot be used is named, and the rest is taken."""

from pathlib import Path
from typing import Any

import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_json
from tests.al_loop.campaigns.importing.stac.folders import features, image_item, label_item, write_folder

DATA = {"type": "image/tiff; application=geotiff", "roles": ["data"]}


def test_folder_of_another_program_is_read(tmp_path: Path) -> None:
    plan = plan_import(write_folder(tmp_path))
    assert (plan.kind, plan.paths, plan.problems) == ("stac", ["a.tif", "b.tif"], [])
    assert [(spec.task, spec.classes) for spec in plan.tasks] == [("segmentation", ["water", "road"])]
    found = {label.path: label for label in plan.labels()}
    assert found.keys() == {"a.tif", "b.tif"}
    assert (found["a.tif"].features or {})["features"][0]["properties"] == {"label": "water"}
    assert found["a.tif"].crs == "EPSG:4326"


BAD: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None, str]] = {
    "missing image": (image_item(assets={"B": {"href": "./gone.tif", **DATA}}), None, "gone.tif is not there"),
    "missing key": (
        None, label_item(links=[{"rel": "source", "href": "./a.json", "label:assets": ["rgb"]}]), "no asset 'rgb'",
    ),
    "two rasters": (
        image_item(assets={"B": {"href": "./a.tif", **DATA}, "C": {"href": "./b.tif", **DATA}}), None, "to choose from",
    ),
    "address": (image_item(assets={"B": {"href": "https://example.org/a.tif", **DATA}}), None, "none is fetched"),
    "bucket": (image_item(assets={"B": {"href": "s3://bucket/a.tif", **DATA}}), None, "none is fetched"),
    "absolute": (image_item(assets={"B": {"href": "/etc/passwd", **DATA}}), None, "outside of the folder"),
    "file address": (image_item(assets={"B": {"href": "file:///etc/passwd", **DATA}}), None, "outside of the folder"),
    "traversal": (image_item(assets={"B": {"href": "../../a.tif", **DATA}}), None, "leads out of the folder"),
    "escaped traversal": (
        image_item(assets={"B": {"href": "%2e%2e/%2e%2e/a.tif", **DATA}}), None, "leads out of the folder",
    ),
    "absolute traversal": (None, label_item(assets={"labels": {"href": "/../etc/passwd"}}), "outside of the folder"),
    "newer STAC": (image_item(stac_version="2.0.0"), label_item(stac_version="2.0.0"), "version 2.0.0 of STAC"),
    "newer labels": (
        None, label_item(stac_extensions=["https://stac-extensions.github.io/label/v2.1.0/schema.json"]),
        "version 2.1.0 of the Label extension",
    ),
    "no source": (None, label_item(links=[]), "no link `source`"),
    "foreign source": (None, label_item(links=[{"rel": "source", "href": "../x/y.json"}]), "is not in the folder"),
    "several sources": (
        None, label_item(links=[{"rel": "source", "href": "a.json"}, {"rel": "source", "href": "b.json"}]), "--over",
    ),
    "unknown task": (None, label_item(task="regression"), "names regression"),
    "no label file": (None, label_item(assets={"labels": {"href": "gone.geojson"}}), "gone.geojson is not there"),
    "no assets": (None, label_item(assets={}), "no asset"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_item_that_cannot_be_used_is_named_and_the_rest_is_taken(tmp_path: Path, case: str) -> None:
    image, label, reason = BAD[case]
    plan = plan_import(write_folder(tmp_path / "in", image, label))
    assert [answer.path for answer in plan.labels()] == ["b.tif"]
    told = {entry.path: entry.reason for entry in plan.problems}
    assert reason in told["a-labels.json"], told


@pytest.mark.parametrize("geometry", [None, {"type": "Polygon", "coordinates": []}])
def test_item_without_geometry_is_matched_by_its_link(tmp_path: Path, geometry: Any) -> None:
    image, label = image_item(geometry=geometry), label_item(geometry=geometry)
    plan = plan_import(write_folder(tmp_path, image, label))
    assert {answer.path for answer in plan.labels()} == {"a.tif", "b.tif"}
    assert plan.notes == ["2 items have no geometry; images and labels were matched by their links"]


def test_asset_keys_may_differ_between_items(tmp_path: Path) -> None:
    image = image_item(assets={"visual": {"href": "a.tif", **DATA}, "info": {"href": "a.txt", "type": "text/plain"}})
    plan = plan_import(write_folder(tmp_path, image))
    assert {answer.path for answer in plan.labels()} == {"a.tif", "b.tif"}


def test_later_minor_version_of_the_label_extension_is_read(tmp_path: Path) -> None:
    label = label_item(stac_extensions=["https://stac-extensions.github.io/label/v1.9.0/schema.json"])
    assert plan_import(write_folder(tmp_path, None, label)).label_counts == {"segmentation": 2}


def test_second_answer_to_one_image_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path)
    write_json(tmp_path / "z-labels.json", label_item("a"))
    plan = plan_import(tmp_path)
    assert "answers segmentation of a.tif already" in plan.problems[0].reason


def test_folder_without_a_usable_label_is_refused_with_the_reason(tmp_path: Path) -> None:
    write_folder(tmp_path, content={"type": "Feature"})
    (tmp_path / "b.geojson").write_text("{")
    with pytest.raises(InvalidValueError, match="no FeatureCollection"):
        plan_import(tmp_path)


def test_item_collection_with_image_and_labels_in_one_item_is_read(tmp_path: Path) -> None:
    write_folder(tmp_path / "made")
    root = tmp_path / "in"
    root.mkdir()
    for name in ("a.tif", "a.geojson"):
        (tmp_path / "made" / name).rename(root / name)
    both = label_item(links=[])
    both["assets"] = {**image_item()["assets"], **both["assets"]}
    write_json(root / "items.json", {"type": "FeatureCollection", "features": [both]})
    assert [answer.path for answer in plan_import(root).labels()] == ["a.tif"]


def test_only_the_wanted_task_is_taken(tmp_path: Path) -> None:
    write_folder(tmp_path, None, label_item(task="detection"))
    assert [label.task for label in plan_import(tmp_path, task="detection").labels()] == ["detection"]
    with pytest.raises(InvalidValueError, match="not classification"):
        plan_import(tmp_path, task="classification")


def test_names_of_classes_are_those_of_the_items(tmp_path: Path) -> None:
    write_folder(tmp_path, content=features("water", "pond"))
    assert plan_import(tmp_path).tasks[0].classes == ["water", "road", "pond"]
    with pytest.raises(InvalidValueError, match="names its classes itself"):
        plan_import(tmp_path, classes=["x"])
