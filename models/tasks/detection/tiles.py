"""Boxes of a large image from those of its tiles, each object once."""

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from models import metrics
from models.arrays import Floats
from models.rasters.tiling import Window
from models.tasks.detection.boxes import ANSWERED_CLASS, SCORE, areas, best_first, clipped

T_co = TypeVar("T_co", covariant=True)

SEAM_PX = 8.0
"""A tile also answers for boxes whose centre lies so far outside of its window: two tiles may place the centre of one
object on either side of their seam, and neither would keep it."""

SAME_IOU = 0.5
"""Boxes of one class from two tiles that overlap as much are the same object."""

LEAST_SCORE = 0.01
"""Boxes below say nothing; an answer has a fixed number of them."""


def boxes_of_window(answer: Floats, window: Window) -> Floats:
    """What an answer says about a window of the image: other boxes get a score of 0.

    Args:
        answer: Shape (..., m, 6), in pixels of what was read.
        window: In the same pixels.

    Returns:
        Shape (..., m, 6), in pixels of the window.
    """
    result = answer.copy()
    result[..., :4] -= np.array([window.column, window.row, window.column, window.row], np.float32)
    x, y = (result[..., 0] + result[..., 2]) / 2, (result[..., 1] + result[..., 3]) / 2
    inside = (x >= -SEAM_PX) & (x <= window.width + SEAM_PX) & (y >= -SEAM_PX) & (y <= window.height + SEAM_PX)
    result[..., SCORE] *= inside
    return result


class BoxesOverTiles:
    """Boxes (m, 6) of the whole image, the likeliest first, cut at its edges."""

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width
        self._parts: list[Floats] = []

    def add(self, window: Window, valid: NDArray[np.bool_], output: Floats) -> None:
        """See `Gathered.add`; boxes in pixels of the window."""
        likely = best_first(output, LEAST_SCORE)
        likely[:, :4] += np.array([window.column, window.row, window.column, window.row], np.float32)
        self._parts.append(likely)

    def result(self) -> Floats:
        """See `Gathered.result`."""
        tile = np.repeat(np.arange(len(self._parts)), [len(part) for part in self._parts])
        boxes = clipped(np.concatenate(self._parts), self._width, self._height)
        order = np.argsort(-boxes[:, SCORE], kind="stable")
        order = order[areas(boxes[order]) > 0]
        boxes, tile = boxes[order], tile[order]
        return boxes if len(self._parts) == 1 else boxes[_first_of_each(boxes, tile)]


class FromBoxes(BoxesOverTiles, Generic[T_co]):
    """What a function makes of the boxes of the whole image, as one of a batch (1, m, 6)."""

    def __init__(self, height: int, width: int, function: Callable[[Floats], T_co]) -> None:
        super().__init__(height, width)
        self._function = function

    def result(self) -> T_co:  # type: ignore[override]
        """See `Gathered.result`."""
        return self._function(super().result()[None])


def _first_of_each(boxes: Floats, tile: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which boxes (m, 6), the likeliest first, are no second view of a likelier one from another tile."""
    shapes = shapely.box(*boxes[:, :4].T)
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    rivals = (first < second) & (tile[first] != tile[second])
    rivals &= boxes[first, ANSWERED_CLASS] == boxes[second, ANSWERED_CLASS]
    first, second = first[rivals], second[rivals]
    one, other = boxes[first, :4].astype(np.float64), boxes[second, :4].astype(np.float64)
    same = metrics.paired_box_iou(one, other) >= SAME_IOU
    first, second = first[same], second[same]
    kept = np.ones(len(boxes), np.bool_)
    for one_row, other_row in sorted(zip(first.tolist(), second.tolist(), strict=True)):
        if kept[one_row]:
            kept[other_row] = False
    return kept
