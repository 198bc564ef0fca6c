"""Boxes of others become rows of ours, with the campaign's classes, the likeliest first."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from models.card import TaskSpec
from models.errors import ForeignModelError
from models.foreign.boxes import MOST_BOXES
from models.foreign.declaration import read_foreign_card
from models.foreign.inspecting import inspect
from models.foreign.trial import try_out
from models.foreign.wrapping import Wrapped, wrap
from tests.models.foreign.graphs import CARD, box_graph
from tests.models.foreign.test_wrapping import BANDS, run

ASKED = TaskSpec(task="detection", classes=["plane", "ship"])
CLASSES = [None, "ship", "plane", "buoy"]
"""As torchvision counts: background first; the campaign does not ask for buoys."""
SIDES = np.array([[1, 2, 11, 22], [5, 5, 9, 9], [30, 10, 40, 30], [31, 10, 41, 30]], np.float32)
SCORES = np.array([0.5, 0.9, 0.8, 0.7], np.float32)
NUMBERS = np.array([1, 3, 2, 2], np.int64)
EXPECTED = np.array(
    [[30, 10, 40, 30, 0.8, 0], [31, 10, 41, 30, 0.7, 0], [1, 2, 11, 22, 0.5, 1], [5, 5, 9, 9, 0, 0]], np.float32
)
"""Of boxes that the graph itself has suppressed."""


def centred(sides: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([(sides[:, :2] + sides[:, 2:]) / 2, sides[:, 2:] - sides[:, :2]], axis=1)


def shares(objectness: float = 1.0) -> NDArray[np.float32]:
    """A score for each class but background."""
    return (np.eye(4, dtype=np.float32)[NUMBERS] * SCORES[:, None] / np.float32(objectness))[:, 1:]


def wrapped(file: Path, classes: list[str | None], **output: Any) -> Wrapped:
    text = json.dumps(CARD | {"task": "detection", "output": {"classes": classes, **output}})
    declared = read_foreign_card(text.encode())
    return wrap(inspect(file, declared), declared, ASKED, BANDS)


IMAGE = np.full((1, 4, 32, 64), 100, np.float32)
THREE = {"boxes": SIDES, "scores": SCORES, "labels": NUMBERS}
ROWS = {"y": np.concatenate([SIDES, SCORES[:, None], NUMBERS[:, None].astype(np.float32)], axis=1)[None]}


@pytest.mark.parametrize(
    ("opset", "taken"),
    [
        *((opset, ("n", 3, "h", "w")) for opset in (11, 13, 18, 24)),
        (17, (3, "h", "w")), (17, (1, 3, 32, 32)), (17, (1, "h", "w", 3)),
    ],
    ids=str,
)  # fmt: skip
def test_boxes_scores_and_labels(tmp_path: Path, opset: int, taken: tuple[object, ...]) -> None:
    image = IMAGE[..., :32]
    answer = run(wrapped(box_graph(tmp_path / "m.onnx", THREE, opset=opset, taken=taken), CLASSES), image)
    assert answer["detection"].shape == (1, MOST_BOXES, 6)
    np.testing.assert_allclose(answer["detection"][0, :4], EXPECTED)
    assert not answer["detection"][0, 4:].any()


def test_rows(tmp_path: Path) -> None:
    answer = run(wrapped(box_graph(tmp_path / "m.onnx", ROWS), CLASSES, meaning="box_rows"), IMAGE)["detection"]
    np.testing.assert_allclose(answer[0, :4], EXPECTED)


@pytest.mark.parametrize("form", ["yolo", "yolo_objectness"])
def test_boxes_that_overlap_are_suppressed_where_the_graph_does_not(tmp_path: Path, form: str) -> None:
    if form == "yolo":
        table = np.concatenate([centred(SIDES), shares()], axis=1).T
    else:
        table = np.concatenate([centred(SIDES), np.full((4, 1), 0.95, np.float32), shares(0.95)], axis=1)
    file = box_graph(tmp_path / "m.onnx", {"y": np.ascontiguousarray(table[None])})
    answer = run(wrapped(file, CLASSES[1:], meaning=form), IMAGE)["detection"]
    np.testing.assert_allclose(answer[0, :3], EXPECTED[[0, 2, 3]] * [[1] * 6, [1] * 6, [0] * 6], atol=1e-5)


@pytest.mark.parametrize("name", ["three", "rows"])
def test_image_without_a_box(tmp_path: Path, name: str) -> None:
    tables = {key: table[:0] for key, table in THREE.items()} if name == "three" else {"y": ROWS["y"][:, :0]}
    output = {} if name == "three" else {"meaning": "box_rows"}
    assert not run(wrapped(box_graph(tmp_path / "m.onnx", tables), CLASSES, **output), IMAGE)["detection"].any()


def swapped() -> NDArray[np.float32]:
    rows = ROWS["y"].copy()
    rows[..., [0, 2]] = rows[..., [2, 0]]
    return rows


@pytest.mark.parametrize(
    ("rows", "classes", "reason"),
    [
        (ROWS["y"], CLASSES[1:], "numbers a class that `output.classes` has no entry for; entries count from 0"),
        (ROWS["y"] * np.float32([1 / 64] * 4 + [1, 1]), CLASSES, "the boxes are fractions of the image"),
        (swapped(), CLASSES, "not every box is left, top, right, bottom, in this order"),
        (ROWS["y"] * np.float32([1] * 4 + [9, 1]), CLASSES, "scores are 0 to 7.2, where 0 to 1 are needed"),
        (ROWS["y"] * np.float32([np.nan] + [1] * 5), CLASSES, "not all are finite"),
    ],
)
def test_answers_that_are_no_boxes_are_refused_by_the_trial(
    tmp_path: Path, rows: NDArray[np.float32], classes: list[str | None], reason: str
) -> None:
    file = box_graph(tmp_path / "m.onnx", {"y": rows})
    found = wrapped(file, classes, meaning="box_rows")
    onnx.save(found.model, file)
    declared = read_foreign_card(
        json.dumps(CARD | {"task": "detection", "output": {"classes": classes, "meaning": "box_rows"}}).encode()
    )
    inner = inspect(box_graph(tmp_path / "inner.onnx", {"y": rows}), declared)
    with pytest.raises(ForeignModelError, match=reason):
        try_out(file, found, inner, [IMAGE[0]], lambda _: None)
