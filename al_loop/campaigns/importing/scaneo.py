"""A SCANEO export: `spai.json` and `<image>.geojson`, or the older `labels.json` and `<image>_labels.geojson`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from al_loop.campaigns.importing.listing import Listing, is_image, stem, suffix
from al_loop.campaigns.importing.plan import ImportPlan, ReportStep
from al_loop.campaigns.scaneo_format import (  # fmt: skip
    ANNOTATION_SUFFIX,
    LABELS_FILE,
    OLD_ANNOTATION_ENDING,
    OLD_LABELS_FILE,
    PROMPT,
    Answers,
    read_annotations,
    read_labels_file,
)
from al_loop.domain.campaigns import CampaignSettings
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError
from al_loop_records.json_texts import read_json
from models.card import TaskName, TaskSpec

LOOKED_FOR = "a SCANEO export (spai.json or labels.json, and <image>.geojson beside the images)"
ELSEWHERE = (
    f"SCANEO leaves {LABELS_FILE} beside the images also where it exported the annotations to another folder: import "
    "that one, and name this one with --images"
)
_REPORT_EVERY = 100


@dataclass
class _Usage:
    """What the annotations of a folder use, gathered in one pass."""

    labels: dict[str, dict[str, None]] = field(default_factory=dict)
    """Task -> labels in the order of first use."""
    counts: dict[TaskName, int] = field(default_factory=dict)
    images: dict[TaskName, Counter[str]] = field(default_factory=dict)
    """Images that each label is in."""
    multi_label: bool = False

    def add(self, answers: Answers) -> None:
        if answers.classes is not None:
            self._count("classification", answers.classes)
            self.multi_label |= len(answers.classes) > 1
        if answers.regions is not None:
            names = (region["properties"]["label"] for region in answers.regions)
            self._count("segmentation", [name for name in names if name is not None])
        if answers.boxes is not None:
            names = (box["properties"]["label"] for box in answers.boxes)
            self._count("detection", [name for name in names if name is not None])

    def _count(self, task: TaskName, labels: list[str]) -> None:
        self.counts[task] = self.counts.get(task, 0) + 1
        self.images.setdefault(task, Counter()).update(set(labels))
        self.labels.setdefault(task, {}).update(dict.fromkeys(labels))


def recognises(listing: Listing) -> bool:
    """Whether there is a label list, or a GeoJSON named like an image, or nothing but GeoJSON."""
    annotations = {stem(path) for path in listing.files if _is_annotation(path)}
    if LABELS_FILE in listing.files or (OLD_LABELS_FILE in listing.files and annotations):
        return True
    images = {stem(path) for path in listing.files if is_image(path)}
    return bool(annotations) and (not images or not annotations.isdisjoint(images))


def plan(annotations: Listing, images: Listing, report: ReportStep, wanted: TaskName | None = None) -> ImportPlan:
    """Plan a campaign with the tasks that the annotations use.

    A label belongs to a task unless only other tasks use it. An image without a GeoJSON is unlabelled, not empty.

    Args:
        annotations: Folder of the GeoJSON files.
        images: Folder of the images; the same listing when they lie together.
        report: Called while annotation files are read.
        wanted: The only task to take; None: all.

    Raises:
        InvalidValueError: No image, no usable annotation, none of the wanted task, or a malformed label list.
    """
    paths = _images(images)
    if not paths:
        raise InvalidValueError(
            "$.images", f"no image in {images.root}; name the campaign folder that SCANEO exported from"
        )
    files = _annotation_files(annotations, paths, images)
    hint = _missing_properties(annotations, list(files.values()))
    usage = _read_usage(annotations, files, report)
    names = _label_names(annotations, images)
    if not usage.counts:
        told = f": {annotations.why()}" if annotations.problems else f"; looked for {LOOKED_FOR}"
        if LABELS_FILE in annotations.files and not annotations.problems:
            told += f". {ELSEWHERE}"
        raise InvalidValueError("$.directory", f"no annotation of an image in {annotations.root}{told}{hint}")
    tasks = [_task(task, names, usage) for task in sorted(usage.counts) if wanted in (None, task)]
    if not tasks:
        there = ", ".join(sorted(usage.counts))
        raise InvalidValueError("$.task", f"{annotations.root} (scaneo) holds labels for {there}, not {wanted}")
    taken = {spec.task for spec in tasks}

    def read(annotator: str) -> Iterator[LabelInput]:
        for path in paths:
            if path in files:
                try:
                    answers = read_annotations((annotations.root / files[path]).read_bytes())
                except (msgspec.DecodeError, OSError) as error:
                    annotations.fail(files[path], f"not a SCANEO annotation file: {error}")
                    continue
                yield from (label for label in _labels(path, answers, annotator) if label.task in taken)

    return ImportPlan(
        kind="scaneo",
        root=images.root,
        tasks=tasks,
        paths=paths,
        settings=CampaignSettings(unlabelled="background"),
        label_counts={task: count for task, count in usage.counts.items() if task in taken},
        skipped=annotations.skipped if annotations is images else [*images.skipped, *annotations.skipped],
        problems=annotations.problems if annotations is images else [*images.problems, *annotations.problems],
        class_counts={task: dict(sorted(counts.items())) for task, counts in usage.images.items() if task in taken},
        read_labels=read,
    )


def _missing_properties(listing: Listing, files: Sequence[str]) -> str:
    """What the first feature has in place of `label` and `task`, as files drawn in a GIS do; empty if it has them."""
    for file in files:
        try:
            content = read_json((listing.root / file).read_bytes())
            has = content["features"][0]["properties"]
        except (msgspec.DecodeError, OSError, LookupError, TypeError):
            continue
        if isinstance(has, dict) and not has.keys() & {"label", "labels"}:
            return (
                f". The features of {file} have the properties {', '.join(map(repr, has)) or 'of none'}: each needs "
                "`label`, the name of its class, and `task`, `segmentation` or `detection`; rename them in the GIS"
            )
    return ""


def _is_annotation(path: str) -> bool:
    return suffix(path) == ANNOTATION_SUFFIX


def _images(listing: Listing) -> list[str]:
    """Images of the campaign; a preview named like a GeoTIFF is not one."""
    geotiffs = {stem(path) for path in listing.files if is_image(path) and _is_geotiff(path)}
    paths = []
    for path in listing.files:
        if not is_image(path):
            if not _is_annotation(path) and path not in {LABELS_FILE, OLD_LABELS_FILE}:
                listing.skip(path, "neither an image nor an annotation file")
        elif not _is_geotiff(path) and stem(path) in geotiffs:
            listing.skip(path, "preview of the GeoTIFF of the same name")
        else:
            paths.append(path)
    return paths


def _is_geotiff(path: str) -> bool:
    return suffix(path) in {".tif", ".tiff"}


def _annotation_files(annotations: Listing, paths: list[str], images: Listing) -> dict[str, str]:
    """Image -> its annotation file; today's name goes before the older one."""
    by_stem: dict[str, list[str]] = {}
    for path in paths:
        by_stem.setdefault(stem(path), []).append(path)
    files: dict[str, str] = {}
    older: dict[str, str] = {}
    for file in annotations.files:
        if not _is_annotation(file):
            if annotations is not images and file not in {LABELS_FILE, OLD_LABELS_FILE}:
                annotations.skip(file, "not an annotation file")
            continue
        name, target = stem(file), files
        if name not in by_stem and name.endswith(OLD_ANNOTATION_ENDING):
            name, target = name.removesuffix(OLD_ANNOTATION_ENDING), older
        match by_stem.get(name, []):
            case [path]:
                target[path] = file
            case []:
                annotations.fail(file, f"no image is named {name}")
            case several:
                annotations.fail(file, f"ambiguous: {' and '.join(several)} share this annotation file")
    for path, file in older.items():
        if path in files:
            annotations.skip(file, f"{files[path]} holds the newer annotations of {path}")
        else:
            files[path] = file
    return files


def _read_usage(listing: Listing, files: dict[str, str], report: ReportStep) -> _Usage:
    """Read every annotation file once; malformed ones are skipped and taken out of `files`."""
    usage = _Usage()
    for done, (path, file) in enumerate(list(files.items()), start=1):
        try:
            answers = read_annotations((listing.root / file).read_bytes())
        except (msgspec.DecodeError, OSError) as error:
            listing.fail(file, f"not a SCANEO annotation file: {error}")
            del files[path]
            continue
        usage.add(answers)
        for reason, count in answers.left_out.items():
            say = listing.skip if reason == PROMPT else listing.fail  # a click for a model is no label
            say(file, f"{count} annotation{'s' if count > 1 else ''} left out: {reason}")
        if answers.classes is None and answers.regions is None and answers.boxes is None:
            if not answers.left_out:
                listing.skip(file, "no annotation; that is not an empty label")
            del files[path]
        if done % _REPORT_EVERY == 0 or done == len(files):
            report("annotation files", done, len(files))
    return usage


def _label_names(*listings: Listing) -> list[str]:
    """Labels of the campaign, in the order of its label list; none if there is no list."""
    for listing, name in ((listing, name) for name in (LABELS_FILE, OLD_LABELS_FILE) for listing in listings):
        if name in listing.files:
            file = listing.root / name
            try:
                return [label.name for label in read_labels_file(file.read_bytes()).labels]
            except (msgspec.DecodeError, OSError) as error:
                raise InvalidValueError("$.directory", f"{file} is not a list of labels: {error}") from error
    return []


def _task(task: TaskName, names: list[str], usage: _Usage) -> TaskSpec:
    used = usage.labels.get(task, {})
    elsewhere = {label for other, labels in usage.labels.items() if other != task for label in labels}
    listed = [name for name in dict.fromkeys(names) if name in used or name not in elsewhere]
    unlisted = sorted(set(used) - set(listed))
    multi_label = task == "classification" and usage.multi_label
    return TaskSpec(task=task, classes=[*listed, *unlisted], multi_label=multi_label)


def _labels(path: str, answers: Answers, annotator: str) -> Iterator[LabelInput]:
    if answers.classes is not None:
        yield LabelInput(path=path, task="classification", annotator=annotator, classes=answers.classes)
    if answers.regions is not None:
        features = {"type": "FeatureCollection", "features": answers.regions}
        yield LabelInput(path=path, task="segmentation", annotator=annotator, features=features, crs="EPSG:4326")
    if answers.boxes is not None:
        features = {"type": "FeatureCollection", "features": answers.boxes}
        yield LabelInput(path=path, task="detection", annotator=annotator, features=features, crs="EPSG:4326")
