"""Folders of boxes, a class each: COCO, YOLO and Pascal VOC. What they say becomes labels of the task `detection`.

A box is stored as its rectangle in pixels of the image: x from the left edge, y from the top.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from al_loop.campaigns.importing.listing import Listing
from al_loop.campaigns.importing.mask_pairs import features_plan
from al_loop.campaigns.importing.plan import FolderKind, ImportPlan
from al_loop.errors import InvalidValueError
from models.card import TaskName
from models.errors import RasterError
from models.rasters.reading import read_header

DETECTION = "detection"
DECIMALS = 6
"""Of a pixel: width and height, or shares, make the corners that they were made of."""


class Box(NamedTuple):
    """One object, in pixels of its image."""

    name: str | None
    """Its class; None: what is in it says nothing (a crowd of COCO)."""
    left: float
    top: float
    right: float
    bottom: float


class Boxes(NamedTuple):
    """What a label file says of one image."""

    boxes: Sequence[Box]
    """Corners in any order."""
    size: tuple[int, int] | None = None
    """Width and height that the file says; None: it says none, or 0."""
    shares: bool = False
    """Whether corners are shares of the image's width and height instead of pixels."""


def wants_boxes(listing: Listing, task: TaskName | None, outlines: int, boxes: int) -> bool:
    """Whether objects are read as boxes.

    Raises:
        InvalidValueError: Some objects have an outline and some only a box, and nobody said what is wanted.
    """
    if task is not None:
        return task == DETECTION
    if outlines and boxes:
        raise InvalidValueError(
            "$.task",
            f"{listing.root} is ambiguous: {outlines} objects have an outline and {boxes} only a box; say --task "
            "detection for boxes, where an outline counts by its bounds, or --task segmentation for the outlines, "
            "which leaves out images with boxes",
        )
    return boxes > 0


def size_of(listing: Listing, path: str) -> tuple[int, int] | None:
    """Width and height of an image in pixels, or None, with the reason in the listing."""
    try:
        header = read_header(listing.root / path)
    except (RasterError, OSError, UnicodeError) as error:
        listing.fail(path, f"label left out: {error}")
        return None
    return header.width, header.height


def inside(box: Box, width: int, height: int) -> Box | str:
    """The box with its corners in order, cut at the edges of the image; or why it is none."""
    if not all(map(math.isfinite, box[1:])):
        return "a box with a corner that is no number"
    horizontal, vertical = (box.left + 0.0, box.right + 0.0), (box.top + 0.0, box.bottom + 0.0)  # -0 is shown as 0
    (left, right), (top, bottom) = sorted(horizontal), sorted(vertical)
    shown = f"({left:.6g}, {top:.6g}, {right:.6g}, {bottom:.6g})"
    if left == right or top == bottom:
        return f"the box {shown} has no area"
    sides = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    cut = Box(box.name, *(round(side, DECIMALS) for side in sides))
    if cut.left >= cut.right or cut.top >= cut.bottom:
        return f"the box {shown} lies outside the image of {width} x {height} px"
    return cut


def boxes_plan(
    kind: FolderKind,
    listing: Listing,
    paths: list[str],
    classes: Sequence[str],
    labelled: Mapping[str, Boxes],
    notes: Sequence[str] = (),
) -> ImportPlan:
    """The plan of a folder of boxes.

    Boxes that run over the edge of their image are cut there. An image with a box of no area, or one outside of it, is
    left out as a whole: without it the answer would not be complete.

    Args:
        kind: Of folder.
        listing: The folder; learns what cannot be used.
        paths: Its images.
        classes: Names of the classes, in order.
        labelled: Image -> what its label file says; an empty list: looked, none here. Others join the pool unlabelled.
        notes: What was decided on the way.
    """
    usable = {path: found for path, told in labelled.items() if (found := _usable(listing, path, told)) is not None}
    return features_plan(
        kind,
        DETECTION,
        listing,
        paths,
        classes,
        {path: [box.name for box in found if box.name is not None] for path, found in usable.items()},
        lambda path: features_of_boxes(usable[path]),
        notes,
    )


def features_of_boxes(boxes: Sequence[Box]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection of rectangles in pixel coordinates; a box without a class is to be ignored."""
    features = []
    for name, left, top, right, bottom in boxes:
        ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        properties = {"label": name} if name is not None else {"label": None, "ignore": True}
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def _usable(listing: Listing, path: str, told: Boxes) -> list[Box] | None:
    """The boxes of an image in pixels, or None, with the reason in the listing."""
    size = size_of(listing, path)
    if size is None:
        return None
    width, height = size
    if told.size is not None and told.size != size:
        listing.fail(path, f"annotated at {told.size[0]} x {told.size[1]} px; it has {width} x {height} px")
        return None
    found = []
    for name, left, top, right, bottom in told.boxes:
        box = Box(name, left, top, right, bottom)
        if told.shares:
            box = Box(name, left * width, top * height, right * width, bottom * height)
        cut = inside(box, width, height)
        if isinstance(cut, str):
            listing.fail(path, cut)
            return None
        found.append(cut)
    return found
