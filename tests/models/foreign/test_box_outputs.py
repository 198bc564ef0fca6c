"""The form of a detector's boxes is seen where it can be, and asked for where it cannot."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.models.foreign.graphs import box_graph, mask_graph
from tests.models.foreign.test_inspecting import inspected, refused

SHIPS: dict[str, Any] = {"task": "detection", "output": {"classes": ["ship"]}}
BOATS: dict[str, Any] = {"task": "detection", "output": {"classes": ["ship", "boat"]}}
THREE = {
    "boxes": np.zeros((5, 4), np.float32), "scores": np.zeros(5, np.float32), "labels": np.zeros(5, np.int64)
}  # fmt: skip


def one(*shape: int) -> dict[str, Any]:
    return {"y": np.zeros((1, *shape), np.float32)}


@pytest.mark.parametrize(
    ("tables", "card", "meaning"),
    [
        (THREE, SHIPS, "boxes"),
        (one(300, 6), BOATS, "box_rows"),
        (one(5, 8400), SHIPS, "yolo"),
        (one(6, 8400), BOATS, "yolo"),
        (one(25200, 7), BOATS, "yolo_objectness"),
    ],
)
def test_usual_forms_are_seen(tmp_path: Path, tables: dict[str, Any], card: dict[str, Any], meaning: str) -> None:
    found = inspected(box_graph(tmp_path / "m.onnx", tables), **card)
    assert (found.meaning, found.batch) == (meaning, 1)


def test_one_image_without_a_dimension_for_many_is_taken(tmp_path: Path) -> None:
    found = inspected(box_graph(tmp_path / "m.onnx", THREE, taken=(3, "h", "w")), **SHIPS)
    assert (found.unbatched, found.bands, found.layout) == (True, 3, "nchw")


def output(classes: list[str | None] | None = None, **more: Any) -> dict[str, Any]:
    return {"task": "detection", "output": {"classes": classes or ["ship"], **more}}


@pytest.mark.parametrize(
    ("tables", "card", "reason"),
    [
        (one(300, 6), SHIPS, "300 x 6 values for 1 classes, has its boxes cannot be seen; say `output.meaning`"),
        (one(84, 8400), output(meaning="yolo"), "84 values a box, where 'yolo' of 1 classes has 5; `output.classes` "),
        (one(300, 7), output(meaning="box_rows"), "7 values a box, where 'box_rows' of 1 classes has 6"),
        (one(300, 6), output(meaning="codes"), "'codes' is no form of boxes; `output.meaning` is one of boxes, box_r"),
        (one(2, 3, 6), SHIPS, "has 4 dimensions; boxes in one output have three"),
        (one(300, 6), output(name="z"), "no output 'z'; it has y"),
        (one(300, 6), output(meaning="boxes"), "no output 'boxes', but y; say `output.name`"),
        ({"a": THREE["boxes"], "b": THREE["scores"]}, SHIPS, "has the outputs a, b; say `output.name`"),
        (THREE, output(labels="classes"), "has the outputs boxes, scores, labels; say `output.name`"),
    ],
)
def test_what_cannot_be_seen_or_does_not_fit_is_refused(
    tmp_path: Path, tables: dict[str, Any], card: dict[str, Any], reason: str
) -> None:
    refused(box_graph(tmp_path / "m.onnx", tables), reason, **card)


def test_old_opsets_are_refused_as_they_cannot_suppress(tmp_path: Path) -> None:
    refused(box_graph(tmp_path / "m.onnx", THREE, opset=10), "opset 10 is not taken of a detector", **SHIPS)


def test_forms_of_boxes_are_no_form_of_masks(tmp_path: Path) -> None:
    declared = {"classes": ["water"], "meaning": "yolo"}
    refused(mask_graph(tmp_path / "m.onnx"), "says yolo, which no model of segmentation", output=declared)
