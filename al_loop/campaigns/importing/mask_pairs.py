"""Image and mask pairs: `image.ext` and `image_mask.tif|png`, one band of class codes.

Code 0 is background, k the k-th class, 255 says nothing. Masks become polygons in pixel coordinates that follow the
pixel edges, so painting them again gives the same mask.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from shapely.geometry import mapping

from al_loop.campaigns.importing.listing import Listing, is_image, stem, suffix
from al_loop.campaigns.importing.plan import ImportPlan, ReportStep
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError
from models.card import BACKGROUND, IGNORE, TaskSpec
from models.errors import RasterError
from models.rasters.masks import codes_to_polygons, read_codes
from models.rasters.reading import read_header

LOOKED_FOR = "pairs of an image and its mask (image.tif, .jpg or .png, and image_mask.tif or .png)"
CLASSES_FILE = "classes.json"
_MASK_ENDING = "_mask"
_MASK_SUFFIXES = frozenset({".tif", ".tiff", ".png"})
_REPORT_EVERY = 20
_PLACE_PATTERNS = (r"^(.+?)(?:[_-]\d+)+\.[^./]+$", r"^(.+)[_-]\d+\.[^./]+$")
_MIN_PLACES = 3


class ClassNamesFile(msgspec.Struct, frozen=True):
    """Content of `classes.json`."""

    classes: list[str]
    background: int = BACKGROUND
    ignore: int = IGNORE


def recognises(listing: Listing) -> bool:
    """Whether at least one image has a mask."""
    return bool(_pairs(listing.files))


def plan(listing: Listing, report: ReportStep) -> ImportPlan:
    """Plan a segmentation campaign; images without a mask join the pool unlabelled.

    Class names come from `classes.json`; without one the masks are read and classes are named "1" to "K".
    Where the images have no CRS and their names end in numbers (`tile3_001`), the stem is taken for a place, so that
    parts of one tile never lie on both sides of the test reserve.

    Args:
        listing: The folder.
        report: Called while masks are read for their codes.

    Raises:
        InvalidValueError: `classes.json` is malformed or assigns codes that we do not use.
    """
    pairs = _pairs(listing.files)
    masks = set(pairs.values())
    paths = []
    for path in listing.files:
        if path in masks or path == CLASSES_FILE:
            continue
        if not is_image(path):
            listing.skip(path, "not an image (.tif, .tiff, .jpg, .jpeg, .png)")
        elif _is_mask(path):
            listing.skip(path, "mask without an image, or a second mask")
        else:
            paths.append(path)
    classes = _read_classes(listing)
    if classes is None:
        classes = _count_classes(listing, pairs, report)

    def read(annotator: str) -> Iterator[LabelInput]:
        for path in paths:
            if path in pairs:
                features = _read_label(listing, path, pairs[path], classes)
                if features is not None:
                    yield LabelInput(
                        path=path, task="segmentation", annotator=annotator, features=features, crs="pixel"
                    )

    return ImportPlan(
        kind="mask-pairs",
        root=listing.root,
        tasks=[TaskSpec(task="segmentation", classes=classes)],
        paths=paths,
        settings=CampaignSettings(
            unlabelled="background", reserve=ReserveSettings(group_pattern=_group_pattern(listing, paths))
        ),
        label_counts={"segmentation": len(pairs)},
        skipped=listing.skipped,
        read_labels=read,
    )


def _is_mask(path: str) -> bool:
    return stem(path).endswith(_MASK_ENDING) and suffix(path) in _MASK_SUFFIXES


def _pairs(files: list[str]) -> dict[str, str]:
    """Image -> mask. Of two images of one name the GeoTIFF has the mask."""
    masks: dict[str, str] = {}
    for path in files:
        if _is_mask(path):
            masks.setdefault(stem(path).removesuffix(_MASK_ENDING), path)
    pairs: dict[str, str] = {}
    for path in sorted(files, key=lambda path: not path.lower().endswith((".tif", ".tiff"))):
        if is_image(path) and not _is_mask(path) and (mask := masks.pop(stem(path), None)) is not None:
            pairs[path] = mask
    return pairs


def _read_classes(listing: Listing) -> list[str] | None:
    if CLASSES_FILE not in listing.files:
        return None
    file = listing.root / CLASSES_FILE
    try:
        decoded = msgspec.json.decode(file.read_bytes(), type=ClassNamesFile | list[str])
    except msgspec.DecodeError as error:
        raise InvalidValueError(
            "$.directory", f'{file} must be {{"classes": ["first", ..]}} or a list of names: {error}'
        ) from error
    if isinstance(decoded, list):
        return decoded
    if (decoded.background, decoded.ignore) != (BACKGROUND, IGNORE):
        raise InvalidValueError(
            "$.directory",
            f"{file} uses background {decoded.background} and ignore {decoded.ignore}; masks must use {BACKGROUND} "
            f"and {IGNORE}",
        )
    return decoded.classes


def _count_classes(listing: Listing, pairs: dict[str, str], report: ReportStep) -> list[str]:
    """Names "1" to the highest code of all masks; unreadable masks are met again when labels are read."""
    highest = 0
    for done, mask in enumerate(pairs.values(), start=1):
        try:
            codes = read_codes(listing.root / mask)
        except RasterError:
            continue
        highest = max(highest, int(codes.max(initial=0, where=codes != IGNORE)))
        if done % _REPORT_EVERY == 0 or done == len(pairs):
            report("masks", done, len(pairs))
    if highest == 0:
        raise InvalidValueError("$.directory", f"no mask in {listing.root} holds a class; name them in {CLASSES_FILE}")
    return [str(code) for code in range(1, highest + 1)]


def _read_label(listing: Listing, path: str, mask: str, classes: list[str]) -> dict[str, Any] | None:
    """The features of one mask in pixel coordinates, or None, with the reason in the listing."""
    try:
        codes = read_codes(listing.root / mask)
        header = read_header(listing.root / path)
    except RasterError as error:
        listing.skip(mask, f"label left out: {error}")
        return None
    if codes.shape != (header.height, header.width):
        height, width = codes.shape
        listing.skip(mask, f"mask is {width} x {height} px, its image {header.width} x {header.height} px")
        return None
    unknown = [int(code) for code in np.unique(codes) if len(classes) < code != IGNORE]
    if unknown:
        listing.skip(mask, f"codes {unknown} name no class; there are {len(classes)} classes")
        return None
    features = [
        {"type": "Feature", "properties": _properties(code, classes), "geometry": mapping(polygon)}
        for code, polygon in codes_to_polygons(codes)
        if code != BACKGROUND
    ]
    return {"type": "FeatureCollection", "features": features}


def _properties(code: int, classes: list[str]) -> dict[str, Any]:
    return {"label": None, "ignore": True} if code == IGNORE else {"label": classes[code - 1]}


def _group_pattern(listing: Listing, paths: list[str]) -> str | None:
    """A pattern that names the place of each image, if names tell it and the pixels do not."""
    try:
        if not paths or read_header(listing.root / paths[0]).crs is not None:
            return None
    except RasterError:
        return None
    for pattern in _PLACE_PATTERNS:
        matches = [re.match(pattern, path) for path in paths]
        places = {match.group(1) for match in matches if match}
        if all(matches) and _MIN_PLACES <= len(places) <= len(paths) / 2:
            return pattern
    return None
