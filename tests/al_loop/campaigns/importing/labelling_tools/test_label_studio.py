import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely.geometry import shape

from al_loop.campaigns.importing import plan_import
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.labelling_tools.exports import drawn, label_studio, pack, result, ring, task

BOX = result("rectanglelabels", "ship", x=10, y=25, width=50, height=50, rotation=0)
FIELD = result("polygonlabels", points=[[10, 12.5], [50, 12.5], [50, 50]], closed=True)


def choices(*names: str) -> dict[str, Any]:
    return result("choices", None, choices=list(names))


def test_percent_become_pixels_and_uploads_are_found_without_their_prefix(tmp_path: Path) -> None:
    plan = plan_import(label_studio(tmp_path, task("a", BOX, choices("sea")), task("b", BOX)))
    assert plan.kind == "label-studio"
    assert [(spec.task, spec.classes) for spec in plan.tasks] == [("classification", ["sea"]), ("detection", ["ship"])]
    box = [("ship", ring((1, 2), (6, 2), (6, 6), (1, 6)))]
    assert drawn(plan) == {"a.png:classification": ["sea"], "a.png:detection": box, "b.png:detection": box}


@pytest.mark.parametrize(
    "address",
    [
        "images/a.png",
        "/data/local-files/?d=set/images/a.png",
        "s3://bucket/x/a.png",
        "https://h/x/a.png?sig=1",
        "a.png",
    ],
)
def test_image_is_found_by_the_end_of_its_address(tmp_path: Path, address: str) -> None:
    one = {**task("a", BOX), "data": {"scene": address, "note": "a text"}}
    assert list(drawn(plan_import(label_studio(tmp_path, one)))) == ["a.png:detection"]


def test_outlines_brushes_ellipses_and_key_points_become_a_segmentation(tmp_path: Path) -> None:
    mask = np.zeros((8, 10), bool)
    mask[2:5, 3:7] = True
    brush = result("brushlabels", "water", format="rle", rle=pack(mask))
    tank = result("ellipselabels", "tank", x=50, y=50, radiusX=20, radiusY=12.5, rotation=0)
    well = result("keypointlabels", "well", x=25, y=50, width=1)
    road = result("vectorlabels", "road", closed=False, vertices=[{"x": 0, "y": 0}, {"x": 100, "y": 100}])
    plan = plan_import(label_studio(tmp_path, task("a", FIELD, brush, tank, well, road)))
    found = dict(drawn(plan)["a.png:segmentation"])
    assert plan.tasks[0].classes == ["field", "road", "tank", "water", "well"]
    assert found["field"] == ring((1, 1), (5, 1), (5, 4))
    assert shape(found["water"]).bounds == (3, 2, 7, 5)
    assert shape(found["tank"]).area == pytest.approx(2 * np.pi, rel=0.01)
    assert found["well"] == {"type": "Point", "coordinates": [2.5, 4]}
    assert found["road"] == {"type": "LineString", "coordinates": [[0, 0], [10, 8]]}


def test_turned_box_turns_about_its_corner_and_is_its_bounds(tmp_path: Path) -> None:
    turned = result("rectanglelabels", "ship", x=50, y=25, width=20, height=50, rotation=90)  # 2 x 4 px at (5, 2)
    plan = plan_import(label_studio(tmp_path, task("a", turned)))
    ((_, geometry),) = drawn(plan)["a.png:detection"]
    assert shape(geometry).bounds == pytest.approx((1, 2, 5, 4))
    assert "1 turned boxes became upright ones: their bounds" in plan.notes


def test_of_several_annotations_ground_truth_counts_else_the_newest_and_never_a_cancelled_one(tmp_path: Path) -> None:
    def entry(number: int, name: str, **members: Any) -> dict[str, Any]:
        return {"id": number, "result": [choices(name)], **members}

    a, b = task("a"), task("b")
    a["annotations"] = [
        entry(1, "old", updated_at="2026-01-01T00:00:00Z"),
        entry(2, "new", updated_at="2026-02-01T00:00:00Z"),
        entry(3, "skipped", updated_at="2026-03-01T00:00:00Z", was_cancelled=True),
    ]
    b["annotations"] = [entry(1, "true", ground_truth=True), entry(2, "new", updated_at="2026-02-01T00:00:00Z")]
    plan = plan_import(label_studio(tmp_path, a, b))
    assert drawn(plan) == {"a.png:classification": ["new"], "b.png:classification": ["true"]}
    assert "2 images have several annotations: ground truth counts, else the newest" in plan.notes


def test_answer_without_a_region_says_none_here_and_predictions_say_nothing(tmp_path: Path) -> None:
    guessed = {**task("c"), "annotations": [], "predictions": [{"result": [BOX]}]}
    plan = plan_import(label_studio(tmp_path, task("a", BOX), task("b"), guessed, images=("a", "b", "c")))
    assert drawn(plan)["b.png:detection"] == []
    assert len(drawn(plan)) == 2
    assert "1 images have predictions of a model only, which are no labels" in plan.notes


def test_class_may_stand_in_a_result_of_its_own(tmp_path: Path) -> None:
    region = {**result("rectangle", None, x=10, y=25, width=50, height=50), "id": "x"}
    label = {"id": "x", "type": "labels", "value": {"x": 10, "y": 25, "labels": ["ship"]}}
    assert drawn(plan_import(label_studio(tmp_path, task("a", region, label)))) == {
        "a.png:detection": [("ship", ring((1, 2), (6, 2), (6, 6), (1, 6)))]
    }


def minimal(name: str, **members: Any) -> dict[str, Any]:
    return {"id": 1, "image": f"/data/upload/1/0a1b2c3d-{name}.png", "annotator": 1, "annotation_id": 4, **members}


def test_json_min_is_read_and_its_texts_are_asked_about(tmp_path: Path) -> None:
    box = {**BOX["value"], "original_width": 10, "original_height": 8}
    both = label_studio(
        tmp_path, minimal("a", label=[box], weather="cloudy"), minimal("b", tags={"choices": ["x", "y"]})
    )
    plan = plan_import(both)
    assert list(drawn(plan)) == ["a.png:detection", "b.png:classification"]
    assert "texts were not taken (weather); if they are choices, name them, as in --classes A,B" in plan.notes
    named = plan_import(both, classes=["clear", "cloudy"])
    assert drawn(named)["a.png:classification"] == ["cloudy"]
    assert named.tasks[0].classes == ["clear", "cloudy", "x", "y"]
    (tmp_path / "project-1.json").write_text(json.dumps([minimal("a", weather="cloudy")]))
    with pytest.raises(InvalidValueError, match="weather: a text, or a choice: name the choices, as in --classes A,B"):
        plan_import(tmp_path)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (result("rectanglelabels", None, x=1, y=1, width=5, height=5), "a region of 0 classes"),
        (result("rectanglelabels", None, x=1, y=1, width=5, height=5, rectanglelabels=["a", "b"]), "2 classes: a, b"),
        (result("rectanglelabels", "ship", x="1", y=1, width=5, height=5), "its x is no number"),
        (result("rectanglelabels", "ship", x=1, y=1, width=0, height=5), "has no area"),
        (result("rectanglelabels", "ship", x=120, y=120, width=5, height=5), "outside the image"),
        ({**BOX, "image_rotation": 90}, "drawn on the image turned by 90 degrees"),
        (result("choices", None, choices=3.5), "choices that are no list of names"),
        (result("choices", None, choices="sea"), "choices that are no list of names"),
        (result("rectanglelabels", "ship", x=10**30, y=1, width=5, height=5), "its x is no number"),
        ({**result("rectangle", None, x=1, y=1, width=5, height=5), "id": ["r"]}, "a region of 0 classes"),
        (result("polygonlabels", points=[[1, 1], [2, 2]]), "a polygon of 2 corners"),
        (result("polygonlabels", points=[[1, 1], [2, "2"], [3, 3]]), "no pairs of numbers"),
        (result("brushlabels", format="png", rle=[]), "a brush mask of format 'png', not rle"),
        (result("brushlabels", format="rle", rle=[1, 2, 3]), "breaks off"),
        ({**BOX, "original_width": 640, "original_height": 480}, "annotated at 640 x 480 px; it has 10 x 8 px"),
    ],
)
def test_image_with_a_bad_region_is_left_out_with_the_reason(tmp_path: Path, bad: dict[str, Any], reason: str) -> None:
    plan = plan_import(label_studio(tmp_path, task("a", bad), task("b", BOX)), task="detection")
    assert list(drawn(plan)) == ["b.png:detection"]
    assert [told for entry in plan.problems if reason in (told := entry.reason)], plan.problems


def test_json_of_other_kinds_is_no_export(tmp_path: Path) -> None:
    label_studio(tmp_path, task("a", BOX))
    (tmp_path / "settings.json").write_text('[{"data": 1}, 7]')
    (tmp_path / "broken.json").write_text("[" * 5000)
    plan = plan_import(tmp_path)
    assert len(drawn(plan)) == 1
    assert {entry.path for entry in plan.skipped} == {"settings.json", "broken.json"}
