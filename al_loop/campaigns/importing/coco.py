"""COCO: one JSON file for many images, with outlines as polygons or run lengths; also as Roboflow writes it.

Outlines are read here, boxes in `al_loop.campaigns.importing.boxes.coco`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.importing.listing import ImageNames, Listing, is_image, suffix
from al_loop.campaigns.importing.mask_pairs import features_of, features_plan
from al_loop.campaigns.importing.plan import ImportPlan, ReportStep
from al_loop.errors import InvalidValueError
from al_loop_records.json_texts import read_json
from models.errors import RasterError
from models.rasters.reading import read_header

LOOKED_FOR = "COCO annotations (_annotations.coco.json, or annotations/instances_*.json)"
_MOST_PX = 2**28
MOST_COORDINATE = 1e9
"""Of an outline, in pixels."""
_MOST_BITS = 60
"""Of a run length as text."""


Id = int | str
"""The format says numbers; some tools write texts. 7 and "7" are the same."""
ANSWERED = "al_loop_answered"
_WHOLE = re.compile(r"-?[0-9]{1,18}")


class Category(msgspec.Struct, frozen=True):
    """A class."""

    id: Id
    name: str
    supercategory: str | None = None


class CocoImage(msgspec.Struct, frozen=True):
    """An image of the file."""

    id: Id
    file_name: str
    width: int | None = None
    height: int | None = None
    al_loop_answered: bool = False
    """Whether somebody looked at it: without an object it shows none. As our export writes it."""


class CocoAnnotation(msgspec.Struct, frozen=True):
    """One object."""

    image_id: Id
    category_id: Id
    segmentation: Any = None
    bbox: Any = None
    """Left, top, width, height in pixels."""
    iscrowd: int | bool = 0


class CocoFile(msgspec.Struct, frozen=True):
    """What is read of a COCO file."""

    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[Category]


class _Labelled(NamedTuple):
    """An image with its objects."""

    width: int
    height: int
    objects: list[tuple[str, Any]]
    """Class and segmentation, in the order of the file."""


def recognises(listing: Listing) -> bool:
    """Whether a JSON file of the folder is named or built like COCO's."""
    return bool(_files(listing))


def read(listing: Listing, report: ReportStep) -> list[tuple[str, CocoFile]]:
    """The COCO files of a folder by their paths; those that cannot be read are named in the listing."""
    found, files = [], _files(listing)
    for done, file in enumerate(files, start=1):
        try:
            found.append((file, read_json((listing.root / file).read_bytes(), CocoFile)))
        except (msgspec.DecodeError, OSError) as error:
            listing.fail(file, f"not a COCO file: {error}")
        report("annotation files", done, len(files))
    return found


def counts(files: Iterable[tuple[str, CocoFile]]) -> tuple[int, int]:
    """How many objects have an outline, and how many have none but a box."""
    outlines = [bool(entry.segmentation) for _, content in files for entry in content.annotations]
    return sum(outlines), len(outlines) - sum(outlines)


def class_names(contents: Iterable[CocoFile]) -> list[str]:
    """Classes by their ids; a category that only others belong to, as Roboflow writes one, is none."""
    classes: dict[str, None] = {}
    for content in contents:
        used = {str(annotation.category_id) for annotation in content.annotations}
        parents = {category.supercategory for category in content.categories}
        kept = [entry for entry in content.categories if str(entry.id) in used or entry.name not in parents]
        classes.update((category.name, None) for category in sorted(kept, key=_by_id))
    return list(classes)


def plan(listing: Listing, files: Sequence[tuple[str, CocoFile]]) -> ImportPlan:
    """Plan a segmentation campaign; images without an object join the pool unlabelled.

    An image that has an object without an outline (a box only), or one that cannot be read, is left out as a whole:
    without it the answer would not be complete.

    Args:
        listing: The folder.
        files: Its COCO files by their paths, as they were read.

    Raises:
        InvalidValueError: No outline of an image can be used.
    """
    names, known = ImageNames(listing), {file for file, _ in files}
    paths = [path for path in listing.files if is_image(path)]
    labelled: dict[str, _Labelled] = {}
    for file, content in files:
        _gather(listing, names, file, content, labelled)
    for path in listing.files:
        if not is_image(path) and path not in known:
            listing.skip(path, "neither an image nor a COCO file")
    usable = {path: entry for path, entry in labelled.items() if _fits(listing, path, entry)}
    if not usable:
        told = ", ".join(sorted(known) or _files(listing))
        raise InvalidValueError("$.directory", f"no outline of an image in {told}: {listing.why() or 'no annotation'}")
    without = len(paths) - len(usable)
    return features_plan(
        "coco",
        "segmentation",
        listing,
        paths,
        class_names(content for _, content in files),
        {path: [name for name, _ in entry.objects] for path, entry in usable.items()},
        lambda path: {"type": "FeatureCollection", "features": list(_features(usable[path]))},
        [f"{without} images without an outline join the pool unlabelled"] if without else [],
    )


def _by_id(category: Category) -> tuple[int, str]:
    return (int(category.id), "") if _WHOLE.fullmatch(str(category.id)) else (0, str(category.id))


def _files(listing: Listing) -> list[str]:
    return [path for path in listing.files if suffix(path) == ".json" and _is_coco(listing, path)]


def _is_coco(listing: Listing, path: str) -> bool:
    name = path.rpartition("/")[2].casefold()
    if "coco" in name or name.startswith("instances"):
        return True
    return path.count("/") <= 1 and _looks_like_coco(listing, path)


def _looks_like_coco(listing: Listing, path: str) -> bool:
    try:
        read_json((listing.root / path).read_bytes(), CocoFile)
    except (msgspec.DecodeError, OSError):
        return False
    return True


def _gather(listing: Listing, names: ImageNames, file: str, content: CocoFile, labelled: dict[str, _Labelled]) -> None:
    """Add the images of a file that have complete outlines."""
    class_of = {str(category.id): category.name for category in content.categories}
    objects: dict[str, list[CocoAnnotation]] = {}
    for annotation in content.annotations:
        objects.setdefault(str(annotation.image_id), []).append(annotation)
    for image in content.images:
        entries = objects.get(str(image.id), [])
        if not entries:
            continue
        path = names.find(image.file_name, file.rpartition("/")[0])
        at = f"{file}: {image.file_name}"
        if path is None:
            listing.fail(at, "no image of that name, or several")
        elif not all(entry.segmentation for entry in entries):
            listing.fail(at, "it has boxes without an outline; --task detection takes boxes")
        elif any(str(entry.category_id) not in class_of for entry in entries):
            listing.fail(at, "a category that the file does not list")
        elif not all(is_outline(entry.segmentation) for entry in entries):
            listing.fail(at, "an outline that is neither polygons nor run lengths")
        elif path in labelled:
            listing.fail(at, "annotated twice; the first was taken")
        else:
            told = [(class_of[str(entry.category_id)], entry.segmentation) for entry in entries]
            labelled[path] = _Labelled(image.width or 0, image.height or 0, told)


def _fits(listing: Listing, path: str, entry: _Labelled) -> bool:
    """Whether the image has the size that the file says; run lengths must have it, too."""
    try:
        header = read_header(listing.root / path)
    except (RasterError, OSError, UnicodeError) as error:
        listing.fail(path, f"label left out: {error}")
        return False
    sizes = {(entry.width, entry.height)} if entry.width and entry.height else set()
    sizes |= {(part["size"][1], part["size"][0]) for _, part in entry.objects if isinstance(part, dict)}
    for width, height in sizes:
        if (width, height) != (header.width, header.height):
            listing.fail(path, f"annotated at {width} x {height} px; it has {header.width} x {header.height} px")
            return False
    return True


def is_outline(segmentation: object) -> bool:
    """Whether this is a list of polygons, or run lengths that fit their size."""
    if isinstance(segmentation, list):
        return all(
            isinstance(ring, list) and len(ring) >= 6 and len(ring) % 2 == 0
            and all(isinstance(value, int | float) and abs(value) < MOST_COORDINATE for value in ring)
            for ring in segmentation
        )  # fmt: skip
    if not isinstance(segmentation, dict):
        return False
    size = segmentation.get("size")
    if not (isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)):
        return False
    height, width = size
    if height * width > _MOST_PX:
        return False
    try:
        counts = _counts(segmentation["counts"])
    except (IndexError, KeyError, TypeError, ValueError):
        return False
    return min(counts, default=0) >= 0 and sum(counts) == height * width


def _features(entry: _Labelled) -> Iterator[dict[str, Any]]:
    for name, segmentation in entry.objects:
        if isinstance(segmentation, dict):
            yield from features_of(decode_run_lengths(segmentation), [name])["features"]
            continue
        for ring in segmentation:
            points = [[float(x), float(y)] for x, y in zip(ring[::2], ring[1::2], strict=True)]
            if points[0] != points[-1]:
                points.append(points[0])
            geometry = {"type": "Polygon", "coordinates": [points]}
            yield {"type": "Feature", "properties": {"label": name}, "geometry": geometry}


def decode_run_lengths(segmentation: dict[str, Any]) -> NDArray[np.uint8]:
    """A mask of 0 and 1, shape (H, W), of COCO's run lengths down the columns, as list or as text.

    Method: `rleFrString` and `rleDecode` of the COCO API (Lin et al. 2014, MIT licence of the reference code).
    """
    height, width = segmentation["size"]
    counts = _counts(segmentation["counts"])
    values = np.repeat(np.arange(len(counts), dtype=np.int64) % 2, counts).astype(np.uint8)
    return np.ascontiguousarray(values.reshape((width, height)).T)


def _counts(counts: str | Sequence[int]) -> Sequence[int]:
    """Run lengths; text holds 6 bits a character, 5 of them value, and differences to the count before the last."""
    if not isinstance(counts, str):
        return [int(count) for count in counts]
    found: list[int] = []
    position = 0
    while position < len(counts):
        value, shift, more = 0, 0, True
        while more:
            part = ord(counts[position]) - 48
            value |= (part & 0x1F) << shift
            more = bool(part & 0x20)
            position, shift = position + 1, shift + 5
            if shift > _MOST_BITS:
                raise ValueError("a run length without an end")
            if not more and part & 0x10:
                value -= 1 << shift
        found.append(value + (found[-2] if len(found) > 2 else 0))
    return found
