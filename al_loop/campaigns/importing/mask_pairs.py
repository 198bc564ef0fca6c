"""Images and their masks: `image_mask.png` beside `image.tif`, or folders such as `images/` and `masks/`.

Of codes, 0 is background, k the k-th class, 255 says nothing; palettes and colours go by `classes.json`. Masks become
polygons in pixel coordinates that follow the pixel edges, so painting them again gives the same mask.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import mapping

from al_loop.campaigns.importing.class_list import CLASSES_FILE, LABEL_MAP_FILE, ClassCodes, listed, read_class_list
from al_loop.campaigns.importing.layout import IMAGE_ENDINGS, MASK_ENDINGS, place_of, splits_note, without_ending
from al_loop.campaigns.importing.listing import Listing, is_image
from al_loop.campaigns.importing.mask_meaning import MaskValues, meaning_of
from al_loop.campaigns.importing.plan import FolderKind, ImportPlan, ReportStep
from al_loop.campaigns.importing.published import published_meaning
from al_loop.campaigns.importing.published.class_tables import is_class_table, read_class_tables
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError
from models.card import BACKGROUND, IGNORE, TaskName, TaskSpec
from models.errors import RasterError
from models.rasters.mask_pixels import MaskPixels, read_mask
from models.rasters.masks import codes_to_polygons
from models.rasters.reading import read_header

LOOKED_FOR = (
    "pairs of an image and its mask (image.tif, .jpg or .png, and image_mask.tif or .png; or the folders images/ and "
    "masks/ with equal names)"
)
_ALWAYS = "_mask"
_REPORT_EVERY = 20
_PLACE_PATTERNS = (r"^(.+?)(?:[_-]\d+)+\.[^./]+$", r"^(.+)[_-]\d+\.[^./]+$")
_MIN_PLACES = 3


class _Sides(NamedTuple):
    """Images and masks of a folder."""

    images: list[str]
    masks: dict[str, str]
    """Image -> its mask."""
    orphans: list[str]
    """Masks without an image."""
    previews: list[str]


def recognises(listing: Listing) -> bool:
    """Whether at least one image has a mask."""
    return bool(_sides(listing.files).masks)


def plan(listing: Listing, report: ReportStep, classes: Sequence[str] | None = None) -> ImportPlan:
    """Plan a segmentation campaign; images without a mask join the pool unlabelled. Every mask is read once.

    Class names come from `classes` (codes 1, 2, ..), from `classes.json` (also colours), from CVAT's `labelmap.txt`,
    from tables (`class_dict.csv`, `_classes.csv`), or for LoveDA and DeepGlobe from what was published; without them
    classes are named "1" to "K". Where the images have no CRS and their names end in numbers (`tile3_001`), the stem is
    taken for a place, so that parts of one tile never lie on both sides of the test reserve.

    Args:
        listing: The folder.
        report: Called while masks are read for their codes.
        classes: Names of the codes, in order.

    Raises:
        InvalidValueError: The class list is malformed, what the masks hold has no name, or no mask can be used.
    """
    sides = _sides(listing.files)
    for path in listing.files:
        if not is_image(path) and path not in (CLASSES_FILE, LABEL_MAP_FILE) and not is_class_table(path):
            listing.skip(path, "not an image (.tif, .tiff, .jpg, .jpeg, .png)")
    for path in sides.orphans:
        listing.fail(path, "mask without an image, or a second mask")
    for path in sides.previews:
        listing.skip(path, "in a folder of previews or of instances")
    files = read_class_list(listing) or read_class_tables(listing) if classes is None else None
    named = files if classes is None else listed(classes, "--classes")
    values = _read_values(listing, sides.masks, report)
    if not values:
        raise InvalidValueError("$.directory", f"no mask in {listing.root} can be used: {listing.why()}")
    pairs = {path: sides.masks[path] for path in values}
    meaning, notes = published_meaning(named, pairs, list(values.values())) or meaning_of(named, list(values.values()))
    usable = _usable(listing, sides.masks, values, meaning)
    if not usable:
        raise InvalidValueError("$.directory", f"no mask in {listing.root} can be used: {listing.why()}")
    names = dict(enumerate(meaning.names, start=1))
    return features_plan(
        "mask-pairs",
        "segmentation",
        listing,
        sides.images,
        meaning.names,
        {path: [names[code] for code in found if code in names] for path, found in usable.items()},
        lambda path: _read_label(listing, path, sides.masks[path], meaning),
        notes,
    )


def features_plan(
    kind: FolderKind,
    task: TaskName,
    listing: Listing,
    paths: list[str],
    classes: Sequence[str],
    labelled: Mapping[str, Iterable[str]],
    features: Callable[[str], dict[str, Any] | None],
    notes: Sequence[str] = (),
) -> ImportPlan:
    """The plan of a folder of masks, outlines or boxes in pixels; what they do not cover is background.

    Args:
        kind: Of folder.
        task: That the labels answer.
        listing: The folder.
        paths: Its images.
        classes: Names in the order of their codes.
        labelled: Image -> the classes in it; other images join the pool unlabelled.
        features: Image -> a GeoJSON FeatureCollection in pixel coordinates; None: it cannot be read any more.
        notes: What was decided on the way.
    """
    counts = Counter(name for found in labelled.values() for name in set(found))

    def read(annotator: str) -> Iterator[LabelInput]:
        for path in paths:
            if path in labelled and (found := features(path)) is not None:
                yield LabelInput(path=path, task=task, annotator=annotator, features=found, crs="pixel")

    return ImportPlan(
        kind=kind,
        root=listing.root,
        tasks=[TaskSpec(task=task, classes=list(classes))],
        paths=paths,
        settings=CampaignSettings(
            unlabelled="background", reserve=ReserveSettings(group_pattern=group_pattern(listing, paths))
        ),
        label_counts={task: len(labelled)},
        skipped=listing.skipped,
        problems=listing.problems,
        notes=[*notes, *splits_note(paths)],
        class_counts={task: {name: counts[name] for name in classes}},
        read_labels=read,
    )


def group_pattern(listing: Listing, paths: Sequence[str]) -> str | None:
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


def features_of(codes: NDArray[np.uint8], names: Sequence[str]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection in pixel coordinates of class codes of shape (H, W)."""
    features = [
        {"type": "Feature", "properties": _properties(code, names), "geometry": mapping(polygon)}
        for code, polygon in codes_to_polygons(codes)
        if code != BACKGROUND
    ]
    return {"type": "FeatureCollection", "features": features}


def _sides(files: Sequence[str]) -> _Sides:
    """Of two images of one name the GeoTIFF has the mask."""
    rasters = [path for path in files if is_image(path)]
    places = {path: place_of(path) for path in rasters}
    previews = [path for path in rasters if places[path].side == "preview"]
    in_mask_folder = {path for path in rasters if places[path].side == "mask"}
    others = [path for path in rasters if path not in in_mask_folder and places[path].side != "preview"]
    by_name = {places[path].key for path in others}
    by_name |= {(*key[:2], base) for key in by_name if (base := without_ending(key[2], IMAGE_ENDINGS))}
    masks: dict[Any, str] = {}
    spare: list[str] = []
    sure = set(in_mask_folder)
    for path in [*sorted(in_mask_folder), *others]:
        split, folders, base = places[path].key
        bare = without_ending(base, MASK_ENDINGS)
        if path not in in_mask_folder:
            if bare is None or not (base.endswith(_ALWAYS) or (split, folders, bare) in by_name):
                continue
            sure.add(path)
        key = (
            split,
            folders,
            base if bare is None or (path in in_mask_folder and (split, folders, base) in by_name) else bare,
        )
        if masks.setdefault(key, path) != path:
            spare.append(path)
    images = [path for path in others if path not in sure]
    pairs: dict[str, str] = {}
    for path in sorted(images, key=lambda path: not path.lower().endswith((".tif", ".tiff"))):
        key = places[path].key
        bare = without_ending(key[2], IMAGE_ENDINGS)
        for name in (key[2], bare):
            if name is not None and (mask := masks.pop((*key[:2], name), None)) is not None:
                pairs[path] = mask
                break
    return _Sides(images, pairs, sorted([*masks.values(), *spare]), previews)


def _read_values(listing: Listing, pairs: dict[str, str], report: ReportStep) -> dict[str, MaskValues]:
    """What the mask of each image holds; masks that cannot be read, or do not fit, are left out with the reason."""
    values: dict[str, MaskValues] = {}
    for done, (path, mask) in enumerate(pairs.items(), start=1):
        pixels = _read_fitting(listing, path, mask)
        if pixels is not None:
            values[path] = MaskValues.of(mask, pixels)
        if done % _REPORT_EVERY == 0 or done == len(pairs):
            report("masks", done, len(pairs))
    return values


def _read_fitting(listing: Listing, path: str, mask: str) -> MaskPixels | None:
    """The mask of an image, or None, with the reason in the listing."""
    try:
        pixels = read_mask(listing.root / mask)
        header = read_header(listing.root / path)
    except (RasterError, OSError, UnicodeError) as error:
        listing.fail(mask, f"label left out: {error}")
        return None
    height, width = pixels.values.shape
    if (height, width) != (header.height, header.width):
        listing.fail(mask, f"mask is {width} x {height} px, its image {header.width} x {header.height} px")
        return None
    return pixels


def _usable(
    listing: Listing, pairs: dict[str, str], values: dict[str, MaskValues], meaning: ClassCodes
) -> dict[str, set[int]]:
    """The codes of each image whose mask holds nothing but known classes."""
    usable: dict[str, set[int]] = {}
    for path, found in values.items():
        reason = found.unknown(meaning)
        if reason is None:
            usable[path] = found.codes(meaning)
        else:
            listing.fail(pairs[path], reason)
    return usable


def _read_label(listing: Listing, path: str, mask: str, meaning: ClassCodes) -> dict[str, Any] | None:
    """The features of one mask in pixel coordinates, or None, with the reason in the listing."""
    pixels = _read_fitting(listing, path, mask)
    if pixels is None:
        return None
    codes = MaskValues.of(mask, pixels).apply(meaning, pixels)
    if codes is None:
        listing.fail(mask, "the mask was replaced while it was imported")
        return None
    return features_of(codes, meaning.names)


def _properties(code: int, names: Sequence[str]) -> dict[str, Any]:
    return {"label": None, "ignore": True} if code == IGNORE else {"label": names[code - 1]}
