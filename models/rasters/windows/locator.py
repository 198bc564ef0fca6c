"""Names of windows of raster files: the file's path and a spatial fragment, as in `scene.tif#xywh=512,0,1024,1024`.

The fragment is that of the W3C's Media Fragments URI 1.0 (section 4.2.2): column offset, row offset, width and height
in pixels. A path that ends so always means a window, never a file of that name.
"""

import re
from pathlib import Path
from typing import NamedTuple, TypeVar

from models.rasters.tiling import Window

_FRAGMENT = re.compile(r"#xywh=(0|[1-9]\d{0,8}),(0|[1-9]\d{0,8}),([1-9]\d{0,8}),([1-9]\d{0,8})\Z")
_MARK = "#xywh="

PathLike = TypeVar("PathLike", str, Path)


class Source(NamedTuple):
    """What a sample's path names."""

    file: str
    """Path of the file."""
    window: Window | None
    """The part of it; None: all of it."""


def source_of(path: str | Path) -> Source:
    """The file and the window that a path names; a fragment that is written otherwise is part of the file's name."""
    text = str(path)
    if _MARK in text and (found := _FRAGMENT.search(text)) is not None:
        column, row, width, height = map(int, found.groups())
        return Source(text[: found.start()], Window(column, row, width, height))
    return Source(text, None)


def window_path(file: str, window: Window) -> str:
    """The path of a window of a file; the reverse of `source_of`."""
    return f"{file}{_MARK}{window.column},{window.row},{window.width},{window.height}"


def file_of(path: PathLike) -> PathLike:
    """The file that a path lies in: itself, or without the fragment of a window."""
    source = source_of(path)
    return path if source.window is None else type(path)(source.file)
