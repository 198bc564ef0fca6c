"""Class folders: `<class>/<image>`, one class an image, as EuroSAT and others are published; also within splits."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from al_loop.campaigns.importing.layout import (
    SPLITS,
    is_preview,
    is_role,
    is_unlabelled,
    parts_of_one,
    place_of,
    speaks_of_masks,
    splits_note,
)
from al_loop.campaigns.importing.listing import Listing, is_image, stem, suffix
from al_loop.campaigns.importing.plan import ImportPlan
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from models.card import TaskSpec
from models.errors import RasterError
from models.rasters.reading import read_header

LOOKED_FOR = "at least two class folders of images (<class>/*.tif, .jpg or .png, also within train/, val/ and test/)"
DECIDES = "--layout class-folders takes every folder for a class"
_LOOKED_AT = 8
"""Images of the same name in two folders whose headers are compared."""


class _ClassFolders(NamedTuple):
    """Class of each image that has one, and images of previews."""

    class_of: dict[str, str]
    previews: list[str]


def recognises(listing: Listing) -> bool:
    """Whether at least two folders hold images and are named like classes."""
    return len(set(_find(listing, forced=False).class_of.values())) >= 2


def doubt(listing: Listing) -> str | None:
    """Why the folders may be something else than classes; None: they are classes."""
    images = [path for path in listing.files if is_image(path)]
    top = {path.split("/", 1)[0] for path in images if path.count("/") == 1}
    in_splits = {folders[0] for path in images if len(folders := _folders(path, forced=False)) == 1}
    files: dict[str, dict[str, str]] = {}
    for path, name in _find(listing, forced=False).class_of.items():
        files.setdefault(name, {})[stem(path).rpartition("/")[2]] = path
    names = sorted(files)
    if (what := parts_of_one(names)) is not None:
        return f"the folders {', '.join(names)} look like {what}"
    for beside in (top, in_splits):
        roles = sorted(name for name in beside if (is_role(name) and not is_preview(name)) or speaks_of_masks(name))
        if roles and beside & files.keys():
            told = ", ".join(sorted(beside))
            return f"the folders {told} are classes, or {', '.join(roles)} is a part of another layout"
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            if (how := _copies(listing, files[first], files[second])) is not None:
                return (
                    f"{first}/ and {second}/ hold the same names {how}, as images and their previews or masks do; "
                    "rename them to images/ and masks/ if they are"
                )
    return None


def _copies(listing: Listing, first: Mapping[str, str], second: Mapping[str, str]) -> str | None:
    """How the files of two folders with the same names differ, all in one way; None: they do not."""
    # both: name of the file without extension -> path
    if first.keys() != second.keys():
        return None
    if {suffix(path) for path in first.values()}.isdisjoint(suffix(path) for path in second.values()):
        return "in different formats"
    shapes = []
    for name in sorted(first)[:_LOOKED_AT]:
        try:
            one, other = (read_header(listing.root / path) for path in (first[name], second[name]))
        except RasterError:
            continue
        shapes.append((one.band_count - other.band_count, one.height - other.height, one.width - other.width))
    if shapes and all(bands for bands, _, _ in shapes):
        return "with different bands"
    for sign in (1, -1):
        if shapes and all(sign * height > 0 and sign * width > 0 for _, height, width in shapes):
            return "in different sizes"
    return None


def classes_of(listing: Listing) -> Mapping[str, str]:
    """The class of each image that lies in a class folder."""
    return _find(listing, forced=False).class_of


def plan(listing: Listing, *, forced: bool = False) -> ImportPlan:
    """Plan a single-label classification campaign; images beside them and in `unlabelled/` join the pool.

    Args:
        listing: The folder.
        forced: Every folder directly below the root is a class, whatever its name.
    """
    class_of, previews = _find(listing, forced=forced)
    paths = []
    for path in listing.files:
        if not is_image(path):
            listing.skip(path, "not an image (.tif, .tiff, .jpg, .jpeg, .png)")
        elif path in class_of or not (folders := _folders(path, forced=forced)) or is_unlabelled(folders[0]):
            paths.append(path)
        elif path in previews:
            listing.skip(path, "in a folder of previews")
        else:
            listing.fail(path, "deeper than <class>/<image>; its class is unclear")
    counts = Counter(class_of.values())
    classes = sorted(counts)

    def read(annotator: str) -> Iterator[LabelInput]:
        for path in paths:
            if path in class_of:
                yield LabelInput(path=path, task="classification", annotator=annotator, classes=[class_of[path]])

    return ImportPlan(
        kind="class-folders",
        root=listing.root,
        tasks=[TaskSpec(task="classification", classes=classes)],
        paths=paths,
        settings=CampaignSettings(reserve=ReserveSettings(block_by="auto")),
        label_counts={"classification": len(class_of)},
        skipped=listing.skipped,
        problems=listing.problems,
        notes=[] if forced else splits_note(paths),
        class_counts={"classification": dict(sorted(counts.items()))},
        read_labels=read,
    )


def _find(listing: Listing, *, forced: bool) -> _ClassFolders:
    class_of: dict[str, str] = {}
    previews: list[str] = []
    for path in listing.files:
        if is_image(path):
            folders = _folders(path, forced=forced)
            if not forced and any(is_preview(folder) for folder in path.split("/")[:-1]):
                previews.append(path)
            elif len(folders) == 1 and (forced or not (is_role(folders[0]) or is_unlabelled(folders[0]))):
                class_of[path] = folders[0]
    return _ClassFolders(class_of, previews)


def _folders(path: str, *, forced: bool) -> tuple[str, ...]:
    """Folders of a path without those of splits."""
    *folders, _ = path.split("/")
    if forced or place_of(path).split is None:
        return tuple(folders)
    return tuple(folder for folder in folders if folder.casefold() not in SPLITS)
