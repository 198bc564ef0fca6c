import json
from pathlib import Path

import pytest

from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import annotation, collection, square, write_json, write_raster


def reasons(plan: ImportPlan) -> dict[str, str]:
    return {skipped.path: skipped.reason for skipped in plan.skipped}


def test_scaneo_export_becomes_one_complete_label_a_task(scaneo_folder: Path) -> None:
    plan = plan_import(scaneo_folder)

    assert (plan.kind, plan.root, plan.paths) == ("scaneo", scaneo_folder, ["a.tif", "c.tiff", "sub/b.tif"])
    labels = {(label.path, label.task): label for label in plan.labels("ana")}
    assert {("a.tif", "segmentation"), ("a.tif", "classification"), ("sub/b.tif", "classification")} < set(labels)
    assert labels["a.tif", "classification"].classes == ["forest"]
    drawn = labels["a.tif", "segmentation"]
    assert drawn.crs == "EPSG:4326"
    assert drawn.annotator == "ana"
    assert drawn.features is not None
    assert [feature["properties"] for feature in drawn.features["features"]] == [{"label": "water"}]
    assert drawn.features["features"][0]["geometry"]["coordinates"] == [square(1, 1), square(5, 4)]


def test_scaneo_labels_belong_to_a_task_unless_only_others_use_them(scaneo_folder: Path) -> None:
    plan = plan_import(scaneo_folder)

    classes = {spec.task: spec.classes for spec in plan.tasks}
    assert classes == {"classification": ["forest"], "detection": ["urban"], "segmentation": ["water"]}
    assert not plan.tasks[0].multi_label
    assert plan.label_counts == {"segmentation": 1, "detection": 1, "classification": 2}
    assert plan.settings.unlabelled == "background"


def test_scaneo_label_nobody_used_yet_is_a_class_of_every_task(scaneo_folder: Path) -> None:
    names = ["urban", "snow", "water", "forest"]
    write_json(scaneo_folder / "spai.json", {"labels": [{"name": name, "color": "#000000"} for name in names]})

    classes = {spec.task: spec.classes for spec in plan_import(scaneo_folder).tasks}
    assert classes == {
        "classification": ["snow", "forest"],
        "detection": ["urban", "snow"],
        "segmentation": ["snow", "water"],
    }


def test_scaneo_label_missing_from_the_list_is_kept(scaneo_folder: Path) -> None:
    write_json(scaneo_folder / "spai.json", {"labels": []})

    assert [spec.classes for spec in plan_import(scaneo_folder).tasks] == [["forest"], ["urban"], ["water"]]


def test_scaneo_several_classes_on_one_image_make_the_task_multi_label(scaneo_folder: Path) -> None:
    rows = [annotation(name, "classification") for name in ("water", "forest", "water")]
    write_json(scaneo_folder / "sub/b.geojson", collection(*rows))

    plan = plan_import(scaneo_folder)
    assert plan.tasks[0].multi_label
    assert next(label for label in plan.labels() if label.path == "sub/b.tif").classes == ["water", "forest"]


@pytest.mark.parametrize("corners", [(0, 1, 2, 3), (2, 3, 0, 1), (0, 3, 2, 1), (2, 1, 0, 3)])
def test_scaneo_boxes_have_corners_in_any_order(scaneo_folder: Path, corners: tuple[int, ...]) -> None:
    south_west_north_east = (40.495, -3.698, 40.499, -3.694)
    one = annotation("urban", "detection")
    values = [south_west_north_east[corner] for corner in corners]
    one["properties"]["bbox"] = [values[:2], values[2:]]
    write_json(scaneo_folder / "a.geojson", collection(one))
    (label,) = [label for label in plan_import(scaneo_folder).labels() if label.task == "detection"]
    assert label.features is not None
    (feature,) = label.features["features"]
    ring = [[-3.698, 40.495], [-3.694, 40.495], [-3.694, 40.499], [-3.698, 40.499], [-3.698, 40.495]]
    assert feature["geometry"] == {"type": "Polygon", "coordinates": [ring]}


@pytest.mark.parametrize("corners", [[[40.4, -3.6]], [[40.4, -3.6], [40.5]], "here", [[40.4, "x"], [40.5, 1]]])
def test_scaneo_box_without_two_corners_leaves_the_whole_answer_out(scaneo_folder: Path, corners: object) -> None:
    bad = annotation("urban", "detection")
    bad["properties"]["bbox"] = corners
    write_json(scaneo_folder / "a.geojson", collection(bad, annotation("forest", "classification")))
    plan = plan_import(scaneo_folder)
    assert {label.task for label in plan.labels()} == {"classification"}
    assert "a box without two corners" in reasons(plan)["a.geojson"]


def test_scaneo_import_of_one_task_leaves_the_others(scaneo_folder: Path) -> None:
    plan = plan_import(scaneo_folder, task="detection")
    assert [(spec.task, spec.classes) for spec in plan.tasks] == [("detection", ["urban"])]
    assert [(label.path, label.task) for label in plan.labels()] == [("a.tif", "detection")]
    (scaneo_folder / "a.geojson").unlink()
    with pytest.raises(InvalidValueError, match="holds labels for classification, not detection"):
        plan_import(scaneo_folder, task="detection")


def test_scaneo_export_to_another_folder_needs_the_campaign_folder(scaneo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    for name in ("a.geojson", "sub/b.geojson"):
        (scaneo_folder / name).rename(out / name)

    with pytest.raises(InvalidValueError, match="name the campaign folder"):
        plan_import(out)
    plan = plan_import(out, images=scaneo_folder)
    assert plan.root == scaneo_folder
    assert [label.path for label in plan.labels()] == ["a.tif", "a.tif", "a.tif", "sub/b.tif"]
    assert plan.tasks[0].classes == ["forest"]


def test_scaneo_old_format_is_read_without_its_prompts(tmp_path: Path) -> None:
    root = tmp_path / "old"
    write_raster(root / "x.tif")
    write_json(root / "labels.json", {"labels": [{"name": "grass", "color": "#00ff9d"}]})
    polygon = {"type": "Polygon", "coordinates": square(2, 2)}
    click = {"type": "Point", "coordinates": [-3.69, 40.49]}
    drawn = {"labels": ["grass"], "tasks": ["segmentation"]}
    prompt = {"labels": ["grass"], "prompt": True, "tasks": ["markerPrompts"]}
    features = [
        {"type": "Feature", "geometry": polygon, "properties": drawn},
        {"type": "Feature", "geometry": click, "properties": prompt},
    ]
    write_json(root / "x_labels.geojson", collection(*features))

    plan = plan_import(root)
    (label,) = plan.labels()
    assert label.features is not None
    assert [feature["geometry"] for feature in label.features["features"]] == [polygon]
    assert "prompt" in reasons(plan)["x_labels.geojson"]


def test_scaneo_newer_annotations_go_before_older_ones(scaneo_folder: Path) -> None:
    write_json(scaneo_folder / "a_labels.geojson", collection(annotation("water", "classification")))

    plan = plan_import(scaneo_folder)
    assert "newer annotations" in reasons(plan)["a_labels.geojson"]
    assert [label.classes for label in plan.labels() if label.task == "classification"] == [["forest"], ["forest"]]


def test_scaneo_point_in_a_segmentation_refuses_the_whole_answer(scaneo_folder: Path) -> None:
    point = annotation("water", "segmentation", {"type": "MultiPoint", "coordinates": [[-3.69, 40.49], [-3.7, 40.5]]})
    polygon = annotation("water", "segmentation", {"type": "Polygon", "coordinates": square(2, 2)})
    write_json(scaneo_folder / "a.geojson", collection(polygon, point))

    plan = plan_import(scaneo_folder)
    assert "segmentation" not in plan.label_counts
    assert "has a MultiPoint" in reasons(plan)["a.geojson"]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"type": "FeatureCollection"}', '{"type": "FeatureCollection", "features": [{"a": NaN}]}']
)
def test_scaneo_malformed_annotation_file_is_skipped_with_a_reason(scaneo_folder: Path, text: str) -> None:
    (scaneo_folder / "a.geojson").write_text(text)

    plan = plan_import(scaneo_folder)
    assert "not a SCANEO annotation file" in reasons(plan)["a.geojson"]
    assert [label.path for label in plan.labels()] == ["sub/b.tif"]


def test_scaneo_file_without_annotations_is_not_an_empty_label(scaneo_folder: Path) -> None:
    write_json(scaneo_folder / "a.geojson", collection())

    plan = plan_import(scaneo_folder)
    assert "not an empty label" in reasons(plan)["a.geojson"]
    assert [label.path for label in plan.labels()] == ["sub/b.tif"]


def test_scaneo_answered_without_features_is_an_empty_label(scaneo_folder: Path) -> None:
    write_json(scaneo_folder / "a.geojson", collection(al_loop={"answered": ["segmentation"]}))

    (label, _) = plan_import(scaneo_folder).labels()
    assert (label.path, label.features) == ("a.tif", collection())


def test_scaneo_two_images_of_one_name_leave_the_annotation_out(scaneo_folder: Path) -> None:
    write_raster(scaneo_folder / "a.tiff")

    plan = plan_import(scaneo_folder)
    assert "ambiguous" in reasons(plan)["a.geojson"]
    assert {"a.tif", "a.tiff"} <= set(plan.paths)


def test_scaneo_preview_beside_a_geotiff_is_no_sample(scaneo_folder: Path) -> None:
    write_raster(scaneo_folder / "a.png")

    plan = plan_import(scaneo_folder)
    assert "preview" in reasons(plan)["a.png"]
    assert [label.path for label in plan.labels()] == ["a.tif", "a.tif", "a.tif", "sub/b.tif"]


def test_scaneo_annotation_without_image_is_skipped_with_a_reason(scaneo_folder: Path) -> None:
    write_json(scaneo_folder / "gone.geojson", collection(annotation("water", "classification")))

    assert reasons(plan_import(scaneo_folder))["gone.geojson"] == "no image is named gone"


def test_scaneo_malformed_label_list_is_named(scaneo_folder: Path) -> None:
    (scaneo_folder / "spai.json").write_text(json.dumps({"labels": ["water"]}))

    with pytest.raises(InvalidValueError, match=r"spai\.json is not a list of labels"):
        plan_import(scaneo_folder)


@pytest.mark.shared_data
def test_scaneo_import_of_real_ships_finds_every_polygon(shared_data: Path) -> None:
    plan = plan_import(shared_data / "s2_ships")

    assert plan.label_counts == {"segmentation": 57, "detection": 57}
    assert [spec.classes for spec in plan.tasks] == [["Boat"], ["Boat"]]
    assert len(plan.paths) == len(list(plan_import(shared_data / "s2_ships", task="detection").labels())) == 57
    assert not plan.problems


@pytest.mark.shared_data
def test_scaneo_import_of_real_old_export_leaves_prompts_out(shared_data: Path) -> None:
    plan = plan_import(shared_data / "scaneo_samples/jaca")

    labels = list(plan.labels())
    assert [label.path for label in labels] == [f"Jaca_{number}.tif" for number in (1, 2, 3, 4)]
    assert all(label.features and len(label.features["features"]) == 1 for label in labels)
    assert [spec.classes for spec in plan.tasks] == [["grass"]]


def test_scaneo_points_in_a_segmentation_are_taken_as_points(scaneo_folder: Path) -> None:
    point = annotation("water", "segmentation", {"type": "Point", "coordinates": [-3.69, 40.49]})
    polygon = annotation("water", "segmentation", {"type": "Polygon", "coordinates": square(2, 2)})
    write_json(scaneo_folder / "a.geojson", collection(polygon, point))

    (drawn,) = [label for label in plan_import(scaneo_folder).labels() if label.task == "segmentation"]
    assert drawn.features is not None
    geometries = [feature["geometry"] for feature in drawn.features["features"]]
    assert [geometry["type"] for geometry in geometries] == ["Polygon", "Point"]
    assert geometries[1]["coordinates"] == [-3.69, 40.49]


def test_campaign_folder_whose_annotations_went_elsewhere_says_where_to_look(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif")
    write_json(tmp_path / "spai.json", {"labels": [{"name": "water", "color": "#0048f0"}]})
    with pytest.raises(
        InvalidValueError, match="also where it exported the annotations to another folder: import that"
    ):
        plan_import(tmp_path, layout="scaneo")
