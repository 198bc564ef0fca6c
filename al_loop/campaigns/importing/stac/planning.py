"""Plan the import of items of STAC: which image each label is of, and the answers, read lazily."""

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from al_loop.campaigns.importing.listing import Listing, is_image
from al_loop.campaigns.importing.plan import FolderKind, ImportPlan, ReportStep
from al_loop.campaigns.importing.stac.answers import StacAnswer, classes_of, read_answer, task_of
from al_loop.campaigns.importing.stac.items import Asset, Files, StacItem, Unresolved, image_asset, label_asset, told
from al_loop.campaigns.importing.stac.reading import is_catalogue
from al_loop.domain.campaigns import CampaignSettings
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError
from models.card import TaskName, TaskSpec
from models.tasks import kind_of

_REPORT_EVERY = 100


@dataclass
class _StacLabel:
    """One answer: where its labels lie, and which image they are of."""

    item: StacItem
    task: TaskName
    asset: Asset
    file: Path


@dataclass
class _StacUsage:
    """What the labels of a folder use, gathered in one pass."""

    classes: dict[TaskName, dict[str, None]] = field(default_factory=dict)
    counts: Counter[TaskName] = field(default_factory=Counter)
    images: dict[TaskName, Counter[str]] = field(default_factory=dict)
    several: bool = False

    def add(self, task: TaskName, listed: Sequence[str], answer: StacAnswer) -> None:
        named = [name for name in listed if not name.isdecimal() or name in answer.names]
        self.classes.setdefault(task, {}).update(dict.fromkeys([*named, *answer.names]))
        self.counts[task] += 1
        self.images.setdefault(task, Counter()).update(set(answer.names))
        self.several |= answer.classes is not None and len(answer.classes) > 1


def plan(
    listing: Listing,
    images: Listing,
    items: Sequence[StacItem],
    report: ReportStep,
    wanted: TaskName | None = None,
) -> ImportPlan:
    """Plan a campaign of the items that hold labels and of the images that they, and other items, name.

    An item that cannot be used is named with the reason, and the others are taken.

    Args:
        listing: The folder of the data set.
        images: The folder of the images; the same listing where they lie together.
        items: Of the folder, as `read_items` gives them.
        report: Called while labels are read.
        wanted: The only task to take; None: all.

    Raises:
        InvalidValueError: No label of an image can be used, or none of the wanted task.
    """
    finder = Files(listing, images)
    by_id = {item.item_id: item for item in items}
    by_document = {item.own: item for item in items if item.own is not None}
    paths: dict[str, None] = {}
    of_image: dict[str, str | None] = {}
    for item in items:
        if not item.is_label:
            of_image[item.item_id] = _image(listing, images, finder, item, [])
            paths.update({path: None for path in [of_image[item.item_id]] if path is not None})
    usage, found = _StacUsage(), dict[tuple[str, TaskName], _StacLabel]()
    labels = [item for item in items if item.is_label]
    for done, item in enumerate(labels, start=1):
        try:
            path, entry = _labelled(listing, images, finder, item, by_id, by_document, wanted)
            if (path, entry.task) in found:
                raise Unresolved(f"{found[path, entry.task].item.document} answers {entry.task} of {path} already")
            answer = read_answer(item, entry.task, entry.asset, entry.file)
        except Unresolved as error:
            listing.fail(item.document, str(error))
            continue
        finally:
            if done % _REPORT_EVERY == 0 or done == len(labels):
                report("label items", done, len(labels))
        found[path, entry.task] = entry
        paths[path] = None
        usage.add(entry.task, classes_of(item)[1], answer)
    if not found:
        raise InvalidValueError("$.directory", f"no label in {listing.root} can be used: {listing.why()}")
    tasks = [_task(task, usage) for task in sorted(usage.counts) if wanted in (None, task)]
    if not tasks:
        there = ", ".join(sorted(usage.counts))
        raise InvalidValueError("$.task", f"{listing.root} (STAC) holds labels for {there}, not {wanted}")
    taken = {spec.task for spec in tasks}
    kind: FolderKind = "eotdl" if any(is_catalogue(item.document.partition(":")[0]) for item in items) else "stac"
    if kind == "eotdl" or listing is not images:
        _skip_others(listing, found, paths)

    def read(annotator: str) -> Iterator[LabelInput]:
        for (path, task), entry in sorted(found.items()):
            if task not in taken:
                continue
            try:
                answer = read_answer(entry.item, task, entry.asset, entry.file)
            except Unresolved as error:
                listing.fail(entry.item.document, str(error))
                continue
            yield LabelInput(
                path=path, task=task, annotator=annotator, classes=answer.classes, features=answer.features,
                crs=answer.crs,
            )  # fmt: skip

    return ImportPlan(
        kind=kind,
        root=images.root,
        tasks=tasks,
        paths=sorted(paths),
        settings=CampaignSettings(unlabelled="background"),
        label_counts={task: usage.counts[task] for task in taken},
        skipped=listing.skipped if listing is images else [*images.skipped, *listing.skipped],
        problems=listing.problems if listing is images else [*images.problems, *listing.problems],
        notes=list(_notes(listing, items, kind)),
        class_counts={task: dict(sorted(usage.images[task].items())) for task in taken},
        read_labels=read,
    )


def _labelled(
    listing: Listing,
    images: Listing,
    finder: Files,
    item: StacItem,
    by_id: Mapping[str, StacItem],
    by_document: Mapping[str, StacItem],
    wanted: TaskName | None,
) -> tuple[str, _StacLabel]:
    """The image of a label, and its file.

    Raises:
        Unresolved: They cannot be told.
    """
    if (reason := item.too_new) is not None:
        raise Unresolved(reason)
    task = task_of(item, wanted)
    asset = label_asset(item)
    at, name = finder.resolve(item, asset)
    source, keys = _source(item, by_id, by_document)
    of_images, path = finder.resolve(source, image_asset(source, keys))
    if of_images is not images and images.root != listing.root:
        raise Unresolved(f"its image {path} lies with the labels, and not in {images.root}")
    return path, _StacLabel(item, task, asset, at.root / name)


def _source(
    item: StacItem, by_id: Mapping[str, StacItem], by_document: Mapping[str, StacItem]
) -> tuple[StacItem, list[str]]:
    """The item of a label's image, and the keys of the assets that it was drawn on."""
    links = [link for link in item.links if link.get("rel") == "source"]
    if not links:
        others = [asset for asset in item.assets.values() if asset is not label_asset(item)]
        if others:
            return item, []
        raise Unresolved("it has no link `source`, and no image of its own")
    if len(links) > 1:
        raise Unresolved(
            f"it was drawn on {len(links)} images; al-loop import --over lays such a file over the images of a campaign"
        )
    link = links[0]
    href, title = str(link.get("href") or ""), str(link.get("title") or "")
    base = item.own or ""
    near = href if href.startswith("/") else posixpath.normpath(posixpath.join(posixpath.dirname(base), href))
    for name in (near, unquote(near)):
        if name in by_document:
            return by_document[name], told(link, "label:assets", list[str]) or []
    for name in (title, href.rpartition("/")[2].removesuffix(".json"), href):
        if name in by_id:
            return by_id[name], told(link, "label:assets", list[str]) or []
    raise Unresolved(f"the item of its image, {href}, is not in the folder")


def _image(listing: Listing, images: Listing, finder: Files, item: StacItem, keys: Sequence[str]) -> str | None:
    """The image of an item that holds no label; None where there is none, which is told."""
    try:
        if (reason := item.too_new) is not None:
            raise Unresolved(reason)
        _, path = finder.resolve(item, image_asset(item, keys))
    except Unresolved as error:
        if item.assets:
            listing.fail(item.document, str(error))
        return None
    return path if is_image(path) and path in images.known else None


def _task(task: TaskName, usage: _StacUsage) -> TaskSpec:
    return TaskSpec(
        task=task, classes=list(usage.classes[task]), multi_label=usage.several and kind_of(task).takes_several
    )


def _skip_others(listing: Listing, found: Mapping[Any, _StacLabel], paths: Mapping[str, None]) -> None:
    used = {str(entry.file.relative_to(listing.root)) for entry in found.values()}
    for path in listing.files:
        if path not in used and path not in paths and not path.endswith(".json") and not is_catalogue(path):
            listing.skip(path, "no item names it")


def _notes(listing: Listing, items: Sequence[StacItem], kind: FolderKind) -> Iterator[str]:
    if lost := sum(not item.placed for item in items):
        yield f"{lost} items have no geometry; images and labels were matched by their links"
    outside = sum(str(link.get("href", "")).startswith(("http:", "https:")) for item in items for link in item.links)
    if outside:
        yield f"{outside} links are addresses, and were not followed"
    readme = listing.root / "README.md"
    if "README.md" in listing.known and not readme.read_bytes().lstrip(b"\xef\xbb\xbf").startswith(b"---"):
        yield "README.md has no front matter, which EOTDL's client asks for when it ingests a folder"
