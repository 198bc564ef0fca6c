"""Boxes in pixels of an image: those of labels, and those that a model answers.

x = column and y = row from the upper left corner. Labels are rows (left, top, right, bottom, class), answers are rows
(left, top, right, bottom, score, class), both float32; the class `IGNORED` marks a region that says nothing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from models.arrays import Floats
from models.card import BACKGROUND, IGNORE

SIDES = ("left", "top", "right", "bottom")

CLASS = 4
"""Column of a label's class."""

SCORE, ANSWERED_CLASS = 4, 5
"""Columns of an answer."""

IGNORED = -1
"""Class of a region in which boxes are neither right nor wrong."""

LEAST_SIDE_PX = 0.5
"""Boxes that are narrower or lower say nothing of the size of anything."""

LEAST_SEEN = 0.3
"""Of a box that a window cuts, this share of its area has to lie inside for it to be looked for there."""

NO_BOXES: Floats = np.empty((0, 5), np.float32)


def box_rows(polygons: Sequence[tuple[int, bytes]]) -> list[dict[str, Any]]:
    """Bounding rectangles of polygons as a snapshot keeps them, without those of no area; see `read_boxes`.

    Args:
        polygons: Code (1 = first class, 255 = "ignore") and WKB in pixel coordinates of each.
    """
    drawn = [(code, wkb) for code, wkb in polygons if code != BACKGROUND]
    bounds = shapely.bounds(shapely.from_wkb([wkb for _, wkb in drawn])).reshape(-1, 4)
    rows = []
    for (code, _), (left, top, right, bottom) in zip(drawn, bounds.tolist(), strict=True):
        if right - left >= LEAST_SIDE_PX and bottom - top >= LEAST_SIDE_PX:  # NaN of an empty polygon is not
            label = IGNORED if code == IGNORE else code - 1
            rows.append({"left": left, "top": top, "right": right, "bottom": bottom, "label": label})
    return rows


def read_boxes(rows: Sequence[dict[str, Any]]) -> Floats:
    """Boxes (n, 5) of a snapshot's row."""
    return np.array([[row[side] for side in (*SIDES, "label")] for row in rows], np.float32).reshape(-1, 5)


def boxes_in(boxes: Floats, column: int, row: int, width: int, height: int) -> Floats:
    """The boxes of a label that a window shows, cut to it and in its coordinates.

    Args:
        boxes: Shape (n, 5).
        column: First column of the window.
        row: Its first row.
        width: Its columns.
        height: Its rows.

    Returns:
        Shape (m, 5). A box of which less than `LEAST_SEEN` lies inside becomes a region that is ignored: nobody can
        tell from there what it is, but background it is not. Boxes outside are left out.
    """
    moved = boxes - np.array([column, row, column, row, 0], np.float32)
    cut = clipped(moved, width, height)
    inside, whole = areas(cut), areas(moved)
    sides = cut[:, 2:4] - cut[:, :2]
    seen = (sides >= LEAST_SIDE_PX).all(axis=1)
    cut[:, CLASS] = np.where(inside < LEAST_SEEN * whole, np.float32(IGNORED), cut[:, CLASS])
    kept: Floats = cut[seen]
    return kept


def turned(boxes: Floats, element: int, width: int, height: int) -> Floats:
    """Boxes of an image that was turned, see `models.training.data.augmentations.turn`.

    Args:
        boxes: Shape (n, 4 or more), whose first four columns are sides.
        element: In [0, 8).
        width: Columns of the image before it was turned.
        height: Its rows.
    """
    result = boxes.copy()
    left, top, right, bottom = result[:, :4].T.copy()
    if element >= 4:
        left, right = width - right, width - left
    for _ in range(element % 4):  # counter-clockwise: the right edge becomes the upper one
        left, top, right, bottom = top, width - right, bottom, width - left
        width, height = height, width
    result[:, :4] = np.stack([left, top, right, bottom], axis=1)
    return result


def clipped(boxes: Floats, width: int, height: int) -> Floats:
    """Boxes (n, 4 or more) cut at the edges of an image; those outside get an area of zero."""
    result = boxes.copy()
    result[:, 0:4:2] = result[:, 0:4:2].clip(0, width)
    result[:, 1:4:2] = result[:, 1:4:2].clip(0, height)
    return result


def areas(boxes: Floats) -> NDArray[np.float32]:
    """Areas (n,) in pixels of boxes (n, 4 or more)."""
    values: Floats = np.maximum(boxes[:, 2:4] - boxes[:, :2], 0).prod(axis=1)
    return values


def best_first(answer: Floats, least: float) -> Floats:
    """The boxes of an answer (m, 6) with at least that score, the highest first."""
    likely = answer[answer[:, SCORE] >= least]
    ranked: Floats = likely[np.argsort(-likely[:, SCORE], kind="stable")]
    return ranked
