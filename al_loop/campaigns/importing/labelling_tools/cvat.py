"""CVAT for images 1.1: one XML file with boxes, polygons, masks, lines, points, ellipses and tags of many images.

Format: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
"""

import math
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

import numpy as np

from al_loop.campaigns.importing.labelling_tools.drawings import Drawing, drawings_plan
from al_loop.campaigns.importing.labelling_tools.shapes import (
    BadShapeError,
    Point,
    Shape,
    ellipse,
    line,
    mask_runs,
    point,
    polygon,
    rectangle,
)
from al_loop.campaigns.importing.labelling_tools.xml_files import XmlRefusedError, children_of, root_of
from al_loop.campaigns.importing.listing import ImageNames, Listing, is_image, suffix
from al_loop.campaigns.importing.plan import ImportPlan, ReportStep
from models.card import TaskName

LOOKED_FOR = "CVAT for images 1.1 (annotations.xml beside the images)"
_SHAPES = frozenset({"box", "polygon", "mask", "polyline", "points", "ellipse", "cuboid", "skeleton"})
_MOST_CHARACTERS = 2**26
_TRACKS = "tracks of a video; export the task as `CVAT for images 1.1`, which has the shapes of each frame"


def recognises(listing: Listing) -> bool:
    """Whether an XML file has CVAT's root element."""
    return bool(_files(listing))


def plan(listing: Listing, report: ReportStep, task: TaskName | None = None) -> ImportPlan:
    """Plan a campaign of the tasks that the file answers; images without a shape or tag join the pool unlabelled.

    CVAT lists images that nobody has looked at as it lists those without an object. Shapes lie on each other by their
    `z_order`. An image with a shape that cannot be read is left out as a whole.

    Args:
        listing: The folder.
        report: Called after each file.
        task: The only one to take; None: all.

    Raises:
        InvalidValueError: As `drawings_plan` says.
    """
    names, files = ImageNames(listing), _files(listing)
    drawings: dict[str, Drawing] = {}
    classes: dict[str, None] = {}
    for done, file in enumerate(files, start=1):
        for name, found in _read(listing, file, classes):
            path = names.find(name, file.rpartition("/")[0])
            at = f"{file}: {name}"
            if path is None:
                listing.fail(at, "no image of that name, or several")
            elif isinstance(found, str):
                listing.fail(at, found)
            elif path in drawings:
                listing.fail(at, "annotated twice; the first was taken")
            else:
                drawings[path] = found
        report("annotation files", done, len(files))
    for path in listing.files:
        if not is_image(path) and path not in files:
            listing.skip(path, "neither an image nor a file of CVAT")
    paths = [path for path in listing.files if is_image(path)]
    return drawings_plan("cvat", listing, paths, list(classes), drawings, task)


def _files(listing: Listing) -> list[str]:
    return [path for path in listing.files if suffix(path) == ".xml" and root_of(listing.root / path) == "annotations"]


def _read(listing: Listing, file: str, classes: dict[str, None]) -> Iterator[tuple[str, Drawing | str]]:
    """Images of a file with what was drawn, or why that cannot be used. A file that breaks off gives none."""
    found: list[tuple[str, Drawing | str]] = []
    listed: list[str] = []
    tracks = 0
    try:
        for child in children_of(listing.root / file):
            if child.tag == "meta":
                listed = [name for entry in child.iter("label") if (name := (entry.findtext("name") or "").strip())]
            elif child.tag == "image":
                name, drawing = (child.get("name") or "").strip(), _image(child)
                if drawing is not None:
                    found.append((name, drawing))
            tracks += child.tag == "track"
    except XmlRefusedError as error:
        listing.fail(file, str(error))
        return
    if tracks:
        listing.fail(file, f"{tracks} {_TRACKS}")
        return
    classes.update(dict.fromkeys(listed))
    yield from found


def _image(image: ElementTree.Element) -> Drawing | str | None:
    """What was drawn in an image; None: nothing."""
    tags: dict[str, None] = {}
    shapes: list[tuple[int, list[Shape]]] = []
    for entry in image:
        label = (entry.get("label") or "").strip()
        if entry.tag not in _SHAPES and entry.tag != "tag":
            continue
        if not label:
            return f"a {entry.tag} without a label"
        try:
            if entry.tag == "tag":
                tags[label] = None
            else:
                shapes.append((_whole(entry.attrib, "z_order", 0), _shapes(entry, label)))
        except BadShapeError as error:
            return f"{entry.tag} ({label}): {error}"
    if not tags and not shapes:
        return None
    ordered = [shape for _, found in sorted(shapes, key=lambda entry: entry[0]) for shape in found]
    try:
        size = _whole(image.attrib, "width", 0), _whole(image.attrib, "height", 0)
    except BadShapeError as error:
        return str(error)
    return Drawing(list(tags) or None, ordered if shapes else None, size if all(size) else None)


def _shapes(entry: ElementTree.Element, name: str) -> list[Shape]:
    """The shapes of one element: of `points` one for each.

    Raises:
        BadShapeError: It cannot be read, or is of a kind without an area in the image.
    """
    has = entry.attrib
    match entry.tag:
        case "box":
            sides = [_number(has, side) for side in ("xtl", "ytl", "xbr", "ybr")]
            degrees = _number(has, "rotation", 0.0)
            middle = (sides[0] + sides[2]) / 2, (sides[1] + sides[3]) / 2
            left, top, right, bottom = sides
            return [Shape(name, rectangle(left, top, right, bottom, middle, degrees), True, degrees % 360 != 0)]
        case "polygon":
            return [Shape(name, polygon(_points(has)))]
        case "polyline":
            return [Shape(name, line(_points(has)))]
        case "points":
            return [Shape(name, point(x, y)) for x, y in _points(has)]
        case "ellipse":
            x, y, radius_x, radius_y = (_number(has, part) for part in ("cx", "cy", "rx", "ry"))
            return [Shape(name, ellipse(x, y, radius_x, radius_y, _number(has, "rotation", 0.0)))]
        case "mask":
            left, top, width, height = (_whole(has, part) for part in ("left", "top", "width", "height"))
            return [Shape(name, mask_runs(left, top, width, height, _counts(has.get("rle", ""))))]
        case _:
            raise BadShapeError("neither a box nor an outline")


def _points(has: Mapping[str, str]) -> list[Point]:
    """`x,y;x,y` as pairs of numbers."""
    pairs = [pair.split(",") for pair in has.get("points", "").split(";")]
    try:
        return [(float(x), float(y)) for x, y in pairs]
    except ValueError as error:
        raise BadShapeError("its points are no pairs of numbers") from error


def _counts(text: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """`12, 3, 40` as numbers."""
    if len(text) > _MOST_CHARACTERS:
        raise BadShapeError("run lengths without an end")
    try:
        return np.array([int(part) for part in text.split(",")], np.int64)
    except (ValueError, OverflowError) as error:
        raise BadShapeError("its run lengths are no whole numbers") from error


def _number(has: Mapping[str, str], name: str, without: float | None = None) -> float:
    try:
        found = float(has[name]) if name in has or without is None else without
    except (KeyError, ValueError) as error:
        raise BadShapeError(f"its {name} is no number") from error
    if not math.isfinite(found):
        raise BadShapeError(f"its {name} is no number")
    return found


def _whole(has: Mapping[str, str], name: str, without: int | None = None) -> int:
    found = _number(has, name, without)
    if found != int(found):
        raise BadShapeError(f"its {name} is no whole number")
    return int(found)
