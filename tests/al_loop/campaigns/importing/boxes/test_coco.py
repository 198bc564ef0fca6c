from pathlib import Path
from typing import Any

import numpy as np
import pytest

from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_json, write_raster
from tests.al_loop.campaigns.importing.test_coco import as_text, coco, run_lengths

SQUARE = [1, 2, 6, 2, 6, 5, 1, 5]
"""An outline whose bounds are columns 1 to 6 and rows 2 to 5 of an image of 10 x 8 px."""


def box(image: int | str, *bbox: float, category: int = 1, **members: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": list(bbox), **members}


def folder(root: Path, *annotations: dict[str, Any], **size: int) -> Path:
    for name in ("a.jpg", "b.jpg"):
        write_raster(root / name)
    write_json(root / "_annotations.coco.json", coco(*annotations, **size))
    return root


def boxes(plan: ImportPlan) -> dict[str | None, list[tuple[str | None, list[float]]]]:
    """Class, left, top, right and bottom of each box, by image."""
    found: dict[str | None, list[tuple[str | None, list[float]]]] = {}
    for label in plan.labels():
        assert (label.task, label.crs) == ("detection", "pixel")
        assert label.features is not None
        rows = found.setdefault(label.path, [])
        for feature in label.features["features"]:
            ring = np.array(feature["geometry"]["coordinates"][0])
            rows.append((feature["properties"]["label"], [*ring.min(axis=0).tolist(), *ring.max(axis=0).tolist()]))
    return found


def test_boxes_alone_become_a_detection_campaign(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, box(10, 1, 2, 5, 3), box(10, 0.5, 0.25, 2, 1.5, category=3)))
    assert (plan.kind, plan.tasks[0].task, plan.tasks[0].classes) == ("coco", "detection", ["roof", "water"])
    assert plan.class_counts == {"detection": {"roof": 1, "water": 1}}
    assert boxes(plan) == {"a.jpg": [("roof", [1, 2, 6, 5]), ("water", [0.5, 0.25, 2.5, 1.75])]}
    assert "1 images without a box join the pool unlabelled" in plan.notes


def test_outlines_are_segmentation_until_boxes_are_asked_for(tmp_path: Path) -> None:
    folder(tmp_path, box(10, 1, 2, 4, 3, segmentation=[SQUARE]))
    assert plan_import(tmp_path).tasks[0].task == "segmentation"
    assert boxes(plan_import(tmp_path, task="detection")) == {"a.jpg": [("roof", [1, 2, 5, 5])]}  # the bbox goes first


@pytest.mark.parametrize("text", [False, True])
def test_object_without_a_bbox_has_the_bounds_of_its_outline(tmp_path: Path, text: bool) -> None:
    mask = np.zeros((8, 10), np.uint8)
    mask[2:5, 1:6] = mask[6, 8] = 1
    counts = run_lengths(mask)
    lengths = {"size": [8, 10], "counts": as_text(counts) if text else counts}
    one, other = ({"image_id": image, "category_id": 1} for image in (10, 11))
    folder(tmp_path, {**one, "segmentation": [SQUARE]}, {**other, "segmentation": lengths})
    plan = plan_import(tmp_path, task="detection")
    assert boxes(plan) == {"a.jpg": [("roof", [1, 2, 6, 5])], "b.jpg": [("roof", [1, 2, 9, 7])]}
    assert "2 objects have no bbox; the bounds of their outlines were taken" in plan.notes


def test_crowds_are_regions_to_ignore(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, box(10, 1, 1, 8, 6, iscrowd=1), box(10, 2, 2, 2, 2)))
    assert boxes(plan) == {"a.jpg": [(None, [1, 1, 9, 7]), ("roof", [2, 2, 4, 4])]}
    assert plan.class_counts == {"detection": {"roof": 1, "water": 0}}


def test_boxes_over_the_edge_are_cut_there(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, box(10, -3, 6, 30, 5)))
    assert boxes(plan) == {"a.jpg": [("roof", [0, 6, 10, 8])]}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (box(10, 1, 1, 0, 3), "no area"),
        (box(10, 5, 5, -2, -2), "no area: left 5, top 5, width -2, height -2"),
        (box(10, 20, 20, 3, 3), "outside the image of 10 x 8 px"),
        (box(10, 1, 1, 3), "not left, top, width, height"),
        (box(10, 1, 1, 3, "3"), "not left, top, width, height"),  # type: ignore[arg-type]
        (box(10, 1, 1, 3, 3, category=9), "a category that the file does not list"),
        ({"image_id": 10, "category_id": 1}, "neither a bbox nor an outline"),
        ({"image_id": 10, "category_id": 1, "segmentation": [[1, 2]]}, "neither polygons nor run lengths"),
    ],
)
def test_image_with_a_bad_box_is_left_out_with_the_reason(tmp_path: Path, bad: dict[str, Any], reason: str) -> None:
    plan = plan_import(folder(tmp_path, bad, box(10, 1, 1, 2, 2), box(11, 1, 1, 2, 2)), task="detection")
    assert list(boxes(plan)) == ["b.jpg"]
    assert [reason in entry.reason for entry in plan.problems] == [True]


def test_image_of_another_size_is_left_out(tmp_path: Path) -> None:
    plan = plan_import(folder(tmp_path, box(10, 1, 1, 2, 2), width=640, height=480))
    assert boxes(plan) == {}
    assert [entry.reason for entry in plan.problems] == ["annotated at 640 x 480 px; it has 10 x 8 px"]


def test_ids_may_be_texts_and_paths_absolute(tmp_path: Path) -> None:
    content = coco(box("x", 1, 1, 2, 2), names=("/home/ana/set/a.jpg",))
    content["images"][0]["id"] = "x"
    content["categories"] = [{"id": "1", "name": "roof"}]
    write_raster(tmp_path / "images/a.jpg")
    write_json(tmp_path / "instances.json", content)
    assert boxes(plan_import(tmp_path)) == {"images/a.jpg": [("roof", [1, 1, 3, 3])]}


def test_absolute_paths_stand_beside_paths_that_are_here(tmp_path: Path) -> None:
    names = ("/home/ana/set/north/a.jpg", "south/a.jpg", "b.jpg", "/home/ana/set/gone.jpg")
    content = coco(*(box(10 + number, 1, 1, 2 + number, 2) for number in range(4)), names=names)
    for name in ("north/a.jpg", "south/a.jpg", "b.jpg"):
        write_raster(tmp_path / name)
    write_json(tmp_path / "_annotations.coco.json", content)
    plan = plan_import(tmp_path)
    assert {path: found[0][1][2] for path, found in boxes(plan).items()} == {
        "north/a.jpg": 3, "south/a.jpg": 4, "b.jpg": 5
    }  # fmt: skip
    assert ["gone.jpg" in str(entry.path) + entry.reason for entry in plan.problems] == [True]


def test_image_that_was_looked_at_and_shows_none_is_told_from_one_without_answer(tmp_path: Path) -> None:
    content = coco(box(10, 1, 1, 2, 2), names=("a.jpg", "b.jpg", "c.jpg"))
    content["images"][1]["al_loop_answered"] = True
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        write_raster(tmp_path / name)
    write_json(tmp_path / "_annotations.coco.json", content)
    assert boxes(plan_import(tmp_path)) == {"a.jpg": [("roof", [1, 1, 3, 3])], "b.jpg": []}


def test_file_without_a_usable_box_says_why(tmp_path: Path) -> None:
    content = coco(box(10, 1, 1, 2, 2), names=("gone.jpg",))
    write_raster(tmp_path / "a.jpg")
    write_json(tmp_path / "_annotations.coco.json", content)
    with pytest.raises(InvalidValueError, match=r"no box of an image in .*gone\.jpg: no image of that name"):
        plan_import(tmp_path)
