"""Boxes of detectors from elsewhere as our rows (left, top, right, bottom, score, class), the likeliest first."""

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper

from models.foreign.inspecting import Inspected
from models.foreign.parts import GraphParts
from models.tasks.detection.tiles import LEAST_SCORE

MOST_BOXES = 300
"""Rows of an answer; with a score of 0 where there are fewer boxes."""
MOST_OVERLAP = 0.5
"""IoU from which the less likely one of two boxes of a class is left out, where the graph itself leaves out none."""
OUTSIDE = -1
"""Class of a box whose number `output.classes` has no entry for; its score is 0, and the trial refuses the model."""
CORNERS = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]], np.float32)
"""Centre, width and height times this are left, top, right and bottom."""


def answered_boxes(parts: GraphParts, found: Inspected, numbers: Sequence[int | None], output: str) -> None:
    """Add the nodes behind a detector, which is shown one image at a time.

    Args:
        parts: The graph; gets the output (1, `MOST_BOXES`, 6).
        found: The detector.
        numbers: Of each of its classes, that of the campaign; None: not asked for.
        output: Name of what is added.
    """
    if found.meaning in ("yolo", "yolo_objectness"):
        sides, scores, labels = _suppressed(parts, found, numbers)
    else:
        sides, scores, labels = _renamed(parts, *_columns(parts, found), numbers)
    rows = parts.op("Concat", [sides, scores, labels], axis=1)
    rows = parts.op("Concat", [rows, parts.constant(np.zeros((MOST_BOXES, 6), np.float32))], axis=0)
    ranked = _reshaped(parts, _column(parts, rows, 4), [-1])
    order = f"order_{len(parts.nodes)}"
    most = parts.constant(np.array([MOST_BOXES], np.int64))
    parts.nodes.append(helper.make_node("TopK", [ranked, most], ["ranked_scores", order]))
    rows = parts.op("Gather", [rows, order], axis=0)
    parts.op("Reshape", [rows, parts.constant(np.array([1, MOST_BOXES, 6], np.int64))], output)


def _columns(parts: GraphParts, found: Inspected) -> tuple[str, str, str]:
    """Sides (m, 4), scores (m, 1) and numbers of the classes (m, 1) as a detector gives them that suppresses itself."""
    if found.meaning == "boxes":
        scores, labels = found.further
        return (
            _reshaped(parts, parts.answer(found.output), [-1, 4]),
            _reshaped(parts, parts.answer(scores), [-1, 1]),
            _reshaped(parts, parts.answer(labels), [-1, 1]),
        )
    rows = _reshaped(parts, parts.answer(found.output), [-1, 6])
    return parts.channels(rows, [0, 1, 2, 3]), _column(parts, rows, 4), _column(parts, rows, 5)


def _renamed(
    parts: GraphParts, sides: str, scores: str, labels: str, numbers: Sequence[int | None]
) -> tuple[str, str, str]:
    """The same with the campaign's classes; those that it does not ask for get a score of 0."""
    known = parts.op("Min", [parts.op("Max", [labels, parts.number(0)]), parts.number(len(numbers) - 1)])
    place = parts.op("Cast", [known], to=TensorProto.INT64)
    asked = parts.constant(np.array([number is not None for number in numbers], np.float32))
    scores = parts.op("Mul", [scores, parts.op("Gather", [asked, place])])
    own = parts.constant(np.array([number or 0 for number in numbers], np.float32))
    outside = parts.op("Greater", [parts.op("Abs", [parts.op("Sub", [labels, known])]), parts.number(0.5)])
    scores = parts.op("Where", [outside, parts.number(0), scores])
    return sides, scores, parts.op("Where", [outside, parts.number(OUTSIDE), parts.op("Gather", [own, place])])


def _suppressed(parts: GraphParts, found: Inspected, numbers: Sequence[int | None]) -> tuple[str, str, str]:
    """The likeliest of boxes that overlap, of each class that the campaign asks for."""
    answer = parts.answer(found.output)
    asked = [(place, number) for place, number in enumerate(numbers) if number is not None]
    if found.meaning == "yolo_objectness":  # (1, m, 5 + K)
        answer = parts.op("Transpose", [answer], perm=[0, 2, 1])
        each = parts.op("Mul", [parts.channels(answer, [4]), parts.channels(answer, [5 + place for place, _ in asked])])
    else:  # (1, 4 + K, m)
        each = parts.channels(answer, [4 + place for place, _ in asked])
    centred = parts.op("Transpose", [parts.channels(answer, [0, 1, 2, 3])], perm=[0, 2, 1])
    most = parts.constant(np.array([MOST_BOXES], np.int64))
    limits = [parts.constant(np.array([value], np.float32)) for value in (MOST_OVERLAP, LEAST_SCORE)]
    kept = parts.op("NonMaxSuppression", [centred, each, most, *limits], center_point_box=1)  # (m, 3)
    scores = _reshaped(parts, parts.op("GatherND", [each, kept]), [-1, 1])
    box = _reshaped(parts, parts.channels(kept, [2]), [-1])
    sides = parts.op("Gather", [_reshaped(parts, centred, [-1, 4]), box], axis=0)
    sides = parts.op("MatMul", [sides, parts.constant(CORNERS)])
    own = parts.constant(np.array([number for _, number in asked], np.float32))
    return sides, scores, parts.op("Gather", [own, parts.channels(kept, [1])])


def _column(parts: GraphParts, rows: str, place: int) -> str:
    return parts.channels(rows, [place])


def _reshaped(parts: GraphParts, value: str, shape: Sequence[int]) -> str:
    return parts.op("Reshape", [value, parts.constant(np.array(shape, np.int64))])
