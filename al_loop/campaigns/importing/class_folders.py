"""Class folders: `<class>/<image>`, one class an image, as EuroSAT and others are published; also within splits."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from al_loop.campaigns.importing.layout import SPLITS, is_preview, is_role, place_of, splits_note
from al_loop.campaigns.importing.listing import Listing, is_image, stem, suffix
from al_loop.campaigns.importing.plan import ImportPlan
from al_loop.domain.campaigns import CampaignSettings, ReserveSettings
from al_loop.domain.labels import LabelInput
from models.card import TaskSpec

LOOKED_FOR = "at least two class folders of images (<class>/*.tif, .jpg or .png, also within train/, val/ and test/)"
DECIDES = "--layout class-folders takes every folder for a class"


class _ClassFolders(NamedTuple):
    """Class of each image that has one, and images of previews."""

    class_of: dict[str, str]
    previews: list[str]


def recognises(listing: Listing) -> bool:
    """Whether at least two folders hold images and are named like classes."""
    return len(set(_find(listing, forced=False).class_of.values())) >= 2


def doubt(listing: Listing) -> str | None:
    """Why the folders may be something else than classes; None: they are classes."""
    top = sorted({path.split("/", 1)[0] for path in listing.files if path.count("/") == 1 and is_image(path)})
    roles = [name for name in top if is_role(name) and not is_preview(name)]
    classes = set(_find(listing, forced=False).class_of.values())
    if roles and classes & set(top):
        return f"the folders {', '.join(top)} are classes, or {', '.join(roles)} is a part of another layout"
    stems: dict[str, set[str]] = {}
    suffixes: dict[str, set[str]] = {}
    for path, name in _find(listing, forced=False).class_of.items():
        stems.setdefault(name, set()).add(stem(path).rpartition("/")[2])
        suffixes.setdefault(name, set()).add(suffix(path))
    names = sorted(stems)
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            if stems[first] == stems[second] and suffixes[first].isdisjoint(suffixes[second]):
                return (
                    f"{first}/ and {second}/ hold the same names in different formats, as images and their previews or "
                    "masks do; rename them to images/ and masks/ if they are"
                )
    return None


def classes_of(listing: Listing) -> Mapping[str, str]:
    """The class of each image that lies in a class folder."""
    return _find(listing, forced=False).class_of


def plan(listing: Listing, *, forced: bool = False) -> ImportPlan:
    """Plan a single-label classification campaign; images beside the class folders join the pool unlabelled.

    Args:
        listing: The folder.
        forced: Every folder directly below the root is a class, whatever its name.
    """
    class_of, previews = _find(listing, forced=forced)
    paths = []
    for path in listing.files:
        if not is_image(path):
            listing.skip(path, "not an image (.tif, .tiff, .jpg, .jpeg, .png)")
        elif path in class_of or not _folders(path, forced=forced):
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
            elif len(folders) == 1 and (forced or not is_role(folders[0])):
                class_of[path] = folders[0]
    return _ClassFolders(class_of, previews)


def _folders(path: str, *, forced: bool) -> tuple[str, ...]:
    """Folders of a path without those of splits."""
    *folders, _ = path.split("/")
    if forced or place_of(path).split is None:
        return tuple(folders)
    return tuple(folder for folder in folders if folder.casefold() not in SPLITS)
