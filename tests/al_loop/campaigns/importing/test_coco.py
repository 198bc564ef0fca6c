import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from al_loop.campaigns.importing import plan_import
from al_loop.campaigns.importing.coco import decode_run_lengths
from al_loop.errors import InvalidValueError
from tests.al_loop.campaigns.importing.fixtures import write_json, write_raster
from tests.al_loop.campaigns.importing.test_recognise import painted

SQUARE = [1, 2, 6, 2, 6, 5, 1, 5]
CATEGORIES = [
    {"id": 0, "name": "objects", "supercategory": "none"},
    {"id": 1, "name": "roof", "supercategory": "objects"},
    {"id": 3, "name": "water", "supercategory": "objects"},
]


def run_lengths(mask: NDArray[np.uint8]) -> list[int]:
    """COCO's counts of a mask: down the columns, zeros first."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *counts] if flat[0] else counts


def as_text(counts: list[int]) -> str:
    """The compressed form, as `rleToString` of the COCO API writes it."""
    text = ""
    for index, count in enumerate(counts):
        value = count - (counts[index - 2] if index > 2 else 0)
        more = True
        while more:
            part = value & 0x1F
            value >>= 5
            more = value != -1 if part & 0x10 else value != 0
            text += chr((part | 0x20 if more else part) + 48)
    return text


def coco(*annotations: dict[str, Any], names: tuple[str, ...] = ("a.jpg", "b.jpg"), **size: int) -> dict[str, Any]:
    images = [{"id": 10 + n, "file_name": name, "width": 10, "height": 8, **size} for n, name in enumerate(names)]
    return {"images": images, "annotations": list(annotations), "categories": CATEGORIES}


def outline(image: int | str, category: int | str, segmentation: Any) -> dict[str, Any]:  # as JSON has it
    return {"image_id": image, "category_id": category, "segmentation": segmentation, "bbox": [1, 2, 5, 3]}


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("train/_annotations.coco.json", "train"), ("annotations/instances_train2017.json", "train2017"),
        ("annotations/instances_default.json", "images"), ("annotations.json", "."),
        ("labels/coco.json", "images/train"),
    ],
)  # fmt: skip
def test_outlines_become_labels_wherever_images_lie(tmp_path: Path, file: str, folder: str) -> None:
    for name in ("a.jpg", "b.jpg"):
        write_raster(tmp_path / folder / name)
    write_json(tmp_path / file, coco(outline(10, 1, [SQUARE]), outline(10, 3, [[7, 5, 9, 5, 9, 7, 7, 7]])))
    plan = plan_import(tmp_path)
    assert (plan.kind, plan.tasks[0].classes) == ("coco", ["roof", "water"])
    assert (len(plan.paths), plan.label_counts) == (2, {"segmentation": 1})
    assert plan.class_counts == {"segmentation": {"roof": 1, "water": 1}}
    codes = np.zeros((8, 10), np.uint8)
    codes[2:5, 1:6], codes[5:7, 7:9] = 1, 2
    np.testing.assert_array_equal(painted(plan, (tmp_path / folder / "a.jpg").relative_to(tmp_path).as_posix()), codes)
    assert "1 images without an outline join the pool unlabelled" in plan.notes


def test_outlines_beside_boxes_are_taken_where_they_are_asked_for(
    tmp_path: Path,
) -> None:
    for name in ("a.jpg", "b.jpg"):
        write_raster(tmp_path / name)
    write_json(
        tmp_path / "_annotations.coco.json",
        coco(outline(10, 1, []), outline(10, 1, [SQUARE]), outline(11, 1, [SQUARE])),
    )
    with pytest.raises(InvalidValueError, match="2 objects have an outline and 1 only a box; say --task detection"):
        plan_import(tmp_path)
    plan = plan_import(tmp_path, task="segmentation")
    assert [label.path for label in plan.labels()] == ["b.jpg"]
    assert [(entry.path, "boxes" in entry.reason) for entry in plan.problems] == [
        ("_annotations.coco.json: a.jpg", True)
    ]


def test_ids_may_be_texts_and_paths_absolute(tmp_path: Path) -> None:
    for path in ("one/a.jpg", "two/a.jpg", "c.jpg"):
        write_raster(tmp_path / path)
    names = ("/home/ana/set/two/a.jpg", "C:\\data\\c.jpg", "/home/ana/other/a.jpg")
    content = coco(*(outline(f"i{n}", "1", [SQUARE]) for n in range(3)), names=names)
    content["images"] = [{**image, "id": f"i{n}"} for n, image in enumerate(content["images"])]
    write_json(tmp_path / "_annotations.coco.json", content)
    plan = plan_import(tmp_path)
    assert [label.path for label in plan.labels()] == ["c.jpg", "two/a.jpg"]
    assert [entry.reason for entry in plan.problems] == ["no image of that name, or several"]


def test_broken_file_gone_image_and_wrong_size_are_told(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        write_raster(tmp_path / split / "a.jpg")
    (tmp_path / "train/_annotations.coco.json").write_text(
        json.dumps(coco(outline(10, 1, [SQUARE]), outline(11, 1, [SQUARE])))
    )
    (tmp_path / "valid/_annotations.coco.json").write_text('{"images": [')
    plan = plan_import(tmp_path)
    assert [label.path for label in plan.labels()] == ["train/a.jpg"]
    assert {entry.path for entry in plan.problems} == {
        "train/_annotations.coco.json: b.jpg",
        "valid/_annotations.coco.json",
    }
    write_json(tmp_path / "train/_annotations.coco.json", coco(outline(10, 1, [SQUARE]), width=20))
    with pytest.raises(InvalidValueError, match="annotated at 20 x 8 px; it has 10 x 8 px"):
        plan_import(tmp_path)


@given(mask=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 40)), elements=st.integers(0, 1)))
def test_run_lengths_are_decoded_from_lists_and_text(mask: NDArray[np.uint8]) -> None:
    counts = run_lengths(mask)
    for written in (counts, as_text(counts)):
        np.testing.assert_array_equal(decode_run_lengths({"size": list(mask.shape), "counts": written}), mask)


def test_run_lengths_become_labels(tmp_path: Path) -> None:
    write_raster(tmp_path / "a.jpg")
    mask = np.zeros((8, 10), np.uint8)
    mask[1:4, 2:9] = 1
    mask[2, 5] = 0
    region = {"size": [8, 10], "counts": as_text(run_lengths(mask))}
    write_json(tmp_path / "_annotations.coco.json", coco(outline(10, 3, region), names=("a.jpg",)))
    np.testing.assert_array_equal(painted(plan_import(tmp_path), "a.jpg"), 2 * mask)
