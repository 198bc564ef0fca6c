"""Cut a scene into windows, in areas that do not overlap: windows overlap inside an area only.

A test reserve may so take some areas of a scene and leave the others to training, and no pixel is on both sides.
"""

from typing import NamedTuple

from models.rasters.tiling import Window

AREA_WINDOWS = 4
"""Windows along a side of an area, where the scene is large enough."""
MIN_AREAS = 10
"""Areas have fewer windows along a side until a scene has this many, or until they cannot be smaller."""


class GridWindow(NamedTuple):
    """A window of a scene and the area that it belongs to."""

    window: Window
    area: Window


class _AreaSpan(NamedTuple):
    """Windows along one axis of one area."""

    start: int
    stop: int
    starts: tuple[int, ...]


def cut(height: int, width: int, size_px: int, overlap_px: int) -> list[GridWindow]:
    """Windows of a scene, row by row of areas; always the same for the same numbers.

    All windows are `size_px` on a side, but for a scene that is smaller along that side. They cover the scene. Those of
    one area overlap by `overlap_px`, the last one in a row by more where the area's length asks for it; those of two
    areas do not overlap. Without overlap an area may be a single window.

    Args:
        height: Rows of the scene.
        width: Columns.
        size_px: Side of a window.
        overlap_px: Pixels that neighbours in an area share, less than `size_px`.
    """
    per_side = AREA_WINDOWS
    while True:
        rows, columns = _spans(height, size_px, overlap_px, per_side), _spans(width, size_px, overlap_px, per_side)
        if per_side == (2 if overlap_px else 1) or len(rows) * len(columns) >= MIN_AREAS:
            break
        per_side //= 2
    tall, wide = min(size_px, height), min(size_px, width)
    return [
        GridWindow(
            Window(column, row, wide, tall),
            Window(across.start, down.start, across.stop - across.start, down.stop - down.start),
        )
        for down in rows
        for row in down.starts
        for across in columns
        for column in across.starts
    ]


def count(height: int, width: int, size_px: int, overlap_px: int) -> int:
    """At most how many windows `cut` makes; known without making them."""
    step = size_px - overlap_px
    return (-(-height // step) + 1) * (-(-width // step) + 1)


def _spans(length: int, size: int, overlap: int, per_side: int) -> list[_AreaSpan]:
    if length <= size:
        return [_AreaSpan(0, length, (0,))]
    side = size + (per_side - 1) * (size - overlap)
    number = max(1, length // side)
    if number * side < length and length - number * side >= size:
        number += 1
    spans = []
    for index in range(number):
        start = index * side
        stop = length if index == number - 1 else start + side
        last = stop - size
        spans.append(_AreaSpan(start, stop, (*range(start, last, size - overlap), last)))
    return spans
