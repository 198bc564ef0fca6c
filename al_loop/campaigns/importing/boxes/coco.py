"""Boxes of COCO files: `bbox` is left, top, width, height in pixels. Crowds become regions to ignore."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from al_loop.campaigns.importing.boxes import Box, Boxes, boxes_plan
from al_loop.campaigns.importing.coco import (
    ANSWERED,
    MOST_COORDINATE,
    CocoAnnotation,
    CocoFile,
    class_names,
    decode_run_lengths,
    is_outline,
)
from al_loop.campaigns.importing.listing import ImageNames, Listing, is_image
from al_loop.campaigns.importing.plan import ImportPlan
from al_loop.errors import InvalidValueError


def plan(listing: Listing, files: Sequence[tuple[str, CocoFile]]) -> ImportPlan:
    """Plan a detection campaign.

    An object without a `bbox` has the bounds of its outline. Images without an object join the pool unlabelled: COCO
    lists images that nobody has looked at as it lists those without an object. `al_loop_answered` true beside an
    image's name, as our own export writes it, tells them apart.

    Args:
        listing: The folder.
        files: Its COCO files by their paths, as they were read.

    Raises:
        InvalidValueError: No box of an image can be used.
    """
    names = ImageNames(listing)
    paths = [path for path in listing.files if is_image(path)]
    known = {file for file, _ in files}
    for path in listing.files:
        if not is_image(path) and path not in known:
            listing.skip(path, "neither an image nor a COCO file")
    labelled: dict[str, Boxes] = {}
    counts: Counter[str] = Counter()
    classes = class_names(content for _, content in files)
    for file, content in files:
        _gather(listing, names, file, content, labelled, counts)
    if not labelled:
        told = ", ".join(sorted(known))
        raise InvalidValueError("$.directory", f"no box of an image in {told}: {listing.why() or 'no annotation'}")
    without = len(paths) - len(labelled)
    notes = [f"{without} images without a box join the pool unlabelled"] if without else []
    if counts["bounds"]:
        notes.append(f"{counts['bounds']} objects have no bbox; the bounds of their outlines were taken")
    if counts["crowds"]:
        notes.append(f"{counts['crowds']} crowds (iscrowd) are regions to ignore")
    return boxes_plan("coco", listing, paths, classes, labelled, notes)


def _gather(
    listing: Listing,
    names: ImageNames,
    file: str,
    content: CocoFile,
    labelled: dict[str, Boxes],
    counts: Counter[str],
) -> None:
    """Add the images of a file whose boxes are complete."""
    class_of = {str(category.id): category.name for category in content.categories}
    objects: dict[str, list[CocoAnnotation]] = {}
    for annotation in content.annotations:
        objects.setdefault(str(annotation.image_id), []).append(annotation)
    for image in content.images:
        entries = objects.get(str(image.id), [])
        if not entries and not image.al_loop_answered:
            continue
        at = f"{file}: {image.file_name}"
        path = names.find(image.file_name, file.rpartition("/")[0])
        if path is None:
            listing.fail(at, "no image of that name, or several")
        elif path in labelled:
            listing.fail(at, "annotated twice; the first was taken")
        elif any(str(entry.category_id) not in class_of for entry in entries):
            listing.fail(at, "a category that the file does not list")
        else:
            boxes = [_box(entry, class_of[str(entry.category_id)]) for entry in entries]
            if wrong := next((box for box in boxes if isinstance(box, str)), None):
                listing.fail(at, wrong)
                continue
            counts["bounds"] += sum(entry.bbox is None for entry in entries)
            counts["crowds"] += sum(bool(entry.iscrowd) for entry in entries)
            size = (image.width, image.height) if image.width and image.height else None
            labelled[path] = Boxes([box for box in boxes if isinstance(box, Box)], size)


def _box(entry: CocoAnnotation, name: str) -> Box | str:
    """The box of an object, or why it has none."""
    label = None if entry.iscrowd else name
    if entry.bbox is not None:
        numbers = entry.bbox if isinstance(entry.bbox, list) else []
        if len(numbers) != 4 or not all(map(_is_length, numbers)):
            return f"a bbox that is not left, top, width, height: {entry.bbox!r:.80}"
        left, top, width, height = map(float, numbers)
        if width <= 0 or height <= 0:
            return f"a bbox of no area: left {left:g}, top {top:g}, width {width:g}, height {height:g}"
        return Box(label, left, top, left + width, top + height)
    if not entry.segmentation:
        return "an object with neither a bbox nor an outline"
    if not is_outline(entry.segmentation):
        return "an outline that is neither polygons nor run lengths"
    if isinstance(entry.segmentation, dict):
        rows, columns = np.nonzero(decode_run_lengths(entry.segmentation))
        if not len(rows):
            return "an outline of no pixel"
        return Box(label, *map(float, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)))
    points = np.array([value for ring in entry.segmentation for value in ring], np.float64).reshape(-1, 2)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return Box(label, float(left), float(top), float(right), float(bottom))


def _is_length(number: object) -> bool:
    return type(number) in (int, float) and abs(number) < MOST_COORDINATE  # type: ignore[arg-type]


__all__ = ["ANSWERED", "plan"]
