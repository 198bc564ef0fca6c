"""Cut a large image into overlapping tiles whose inner parts cover it exactly once."""

from collections.abc import Iterator
from typing import NamedTuple


class Window(NamedTuple):
    """A rectangle of pixels, in the order that `models.rasters.reading.read_raster` takes."""

    column: int
    row: int
    width: int
    height: int


class Tile(NamedTuple):
    """What to read for a tile, and the part of it that counts."""

    read: Window
    write: Window


class _Span(NamedTuple):
    """One tile along one axis: read [start, stop), write [first, last)."""

    start: int
    stop: int
    first: int
    last: int


def tiles(height: int, width: int, tile_px: int, overlap_px: int, stride_px: int = 1) -> Iterator[Tile]:
    """Tiles of an image, row by row.

    Write windows are disjoint and cover the image; each lies inside its read window, and away from the image's borders
    at least `overlap_px // 2` inside it, so that every pixel is seen with its surroundings. Tiles start at multiples
    of `stride_px`; after padding to a multiple of the stride all tiles of one image have the same size.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        tile_px: Largest side of a read window; a multiple of `stride_px`.
        overlap_px: Pixels that neighbours share at least; a multiple of `stride_px`, less than `tile_px`.
        stride_px: Grid that tiles are aligned to.

    Raises:
        ValueError: The sizes do not fit together.
    """
    if min(height, width, tile_px, stride_px) < 1 or not 0 <= overlap_px < tile_px:
        raise ValueError(f"cannot tile {width} x {height} px by {tile_px} px with {overlap_px} px of overlap")
    if tile_px % stride_px or overlap_px % stride_px:
        raise ValueError(f"tile ({tile_px} px) and overlap ({overlap_px} px) must be multiples of {stride_px} px")
    columns = list(_spans(width, tile_px, overlap_px, stride_px))
    for rows in _spans(height, tile_px, overlap_px, stride_px):
        for span in columns:
            yield Tile(
                Window(span.start, rows.start, span.stop - span.start, rows.stop - rows.start),
                Window(span.first, rows.first, span.last - span.first, rows.last - rows.first),
            )


def grid_and_overlap(tile_px: int, stride_px: int) -> tuple[int, int]:
    """The grid that a model's tiles are aligned to, and the pixels that neighbours share at least: a quarter of a tile.

    Where a quarter is less than the model's stride, as of a graph that takes one size only, tiles start at any pixel.

    Args:
        tile_px: Largest side that the model is shown.
        stride_px: Sides that it is shown are multiples of this.
    """
    grid = stride_px if tile_px // 4 >= stride_px else 1
    return grid, tile_px // 4 // grid * grid


def _spans(length: int, tile: int, overlap: int, stride: int) -> Iterator[_Span]:
    last_start = max(0, -(-(length - tile) // stride) * stride)
    starts = [*range(0, last_start, tile - overlap), last_start]
    first = 0
    for index, start in enumerate(starts):
        stop = min(start + tile, length)
        # Neighbours meet in the middle of what they share.
        last = length if index == len(starts) - 1 else (starts[index + 1] + stop) // 2
        yield _Span(start, stop, first, last)
        first = last
