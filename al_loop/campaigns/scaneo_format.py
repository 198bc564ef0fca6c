"""SCANEO's files, read and written: `spai.json` (older: `labels.json`) and one GeoJSON of annotations an image.

An annotation is one feature; those of one image and task together are one complete answer. What SCANEO cannot say
(an image that was looked at and holds nothing, regions to ignore) travels in the member `al_loop` of the
collection, which SCANEO passes over.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from models.card import TaskName

LABELS_FILE = "spai.json"
OLD_LABELS_FILE = "labels.json"
ANNOTATION_SUFFIX = ".geojson"
OLD_ANNOTATION_ENDING = "_labels"
PROMPT = "prompt for a model, not a label"
"""Why a click is no annotation."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LabelName(msgspec.Struct, frozen=True):
    """One label of a SCANEO campaign."""

    name: str
    color: str = ""


class LabelList(msgspec.Struct, frozen=True):
    """Content of `spai.json` and of the older `labels.json`."""

    labels: list[LabelName]


class Geometry(msgspec.Struct, frozen=True):
    """A GeoJSON geometry whose coordinates, in EPSG:4326 (longitude, latitude), stay undecoded."""

    type: str
    coordinates: msgspec.Raw = msgspec.Raw(b"[]")


class Properties(msgspec.Struct, frozen=True, omit_defaults=True):
    """Properties of an annotation: `label` and `task` today, lists of both in the older format."""

    label: str | None = None
    task: str | None = None
    labels: list[str] = []
    tasks: list[str] = []
    prompt: bool = False
    """A click meant for a model, not a label (older format)."""


class Annotation(msgspec.Struct, frozen=True, tag_field="type", tag="Feature"):
    """One feature."""

    geometry: Geometry | None
    properties: Properties


class IgnoredRegion(msgspec.Struct, frozen=True):
    """Polygons that say nothing, painted before the feature at `position` of the answer."""

    position: int
    geometry: Geometry


class Extension(msgspec.Struct, frozen=True, omit_defaults=True):
    """What al-loop adds to a collection."""

    answered: list[TaskName] = []
    """Tasks that were answered, also those without a feature: "looked, none here"."""
    ignored: list[IgnoredRegion] = []


class AnnotationCollection(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="FeatureCollection"):
    """The annotations of one image."""

    features: list[Annotation]
    al_loop: Extension | None = None


_labels_decoder = msgspec.json.Decoder(LabelList)
_collection_decoder = msgspec.json.Decoder(AnnotationCollection)


@dataclass
class Answers:
    """The complete answers that one file holds; None: the task was not answered."""

    classes: list[str] | None = None
    """Classification; without repetitions, in the order of the file."""
    regions: list[dict[str, Any]] | None = None
    """Segmentation; GeoJSON features in painting order, as `LabelInput.features` wants them."""
    boxes: set[str] = field(default_factory=set)
    """Labels of the detections, which are left out."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> number of annotations that were left out for it."""


def read_labels_file(data: bytes) -> LabelList:
    """Decode `spai.json` or `labels.json`.

    Raises:
        msgspec.DecodeError: Not a label list.
    """
    return _labels_decoder.decode(data.removeprefix(_BYTE_ORDER_MARK))


def read_annotations(data: bytes) -> Answers:
    """Gather the features of one file into one complete answer a task.

    A segmentation with a feature that is neither a polygon nor a point is not taken at all: without that feature it
    would be a different answer. Polygons without coordinates are left out of it.

    Raises:
        msgspec.DecodeError: Not a SCANEO annotation file.
    """
    collection = _collection_decoder.decode(data.removeprefix(_BYTE_ORDER_MARK))
    answers = Answers()
    extension = collection.al_loop or Extension()
    regions: list[dict[str, Any]] = []
    for annotation in collection.features:
        for label, task in _pairs(annotation.properties, answers):
            if task == "classification":
                answers.classes = list(dict.fromkeys([*(answers.classes or []), label]))
            elif task == "segmentation":
                regions.append(_region(annotation.geometry, label))
            elif task == "detection":
                answers.boxes.add(label)
                answers.left_out["detection is not built yet"] += 1
            else:
                answers.left_out[f"task {task!r} is unknown"] += 1
    if "classification" in extension.answered:
        answers.classes = answers.classes or []
    if regions or extension.ignored or "segmentation" in extension.answered:
        _take_regions(answers, regions, extension.ignored)
    return answers


def _pairs(properties: Properties, answers: Answers) -> list[tuple[str, str]]:
    labels = properties.labels if properties.label is None else [properties.label]
    tasks = properties.tasks if properties.task is None else [properties.task]
    if properties.prompt:
        answers.left_out[PROMPT] += 1
        return []
    if not labels or not tasks:
        answers.left_out["no label or no task in its properties"] += 1
        return []
    return [(label, task) for label in labels for task in tasks]


def _region(geometry: Geometry | None, label: str | None) -> dict[str, Any]:
    properties: dict[str, Any] = {"label": label} if label is not None else {"label": None, "ignore": True}
    kind = geometry.type if geometry is not None else None
    coordinates = msgspec.json.decode(geometry.coordinates) if geometry is not None else []
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


def _take_regions(answers: Answers, regions: list[dict[str, Any]], ignored: list[IgnoredRegion]) -> None:
    for region in sorted(ignored, key=lambda region: region.position):
        regions.insert(region.position, _region(region.geometry, None))
    strange = {str(region["geometry"]["type"]) for region in regions} - {"Polygon", "MultiPolygon", "Point"}
    if strange:
        reason = (
            f"segmentation not taken: it has a {', '.join(sorted(strange))} where only polygons and points make sense"
        )
        answers.left_out[reason] += len(regions)
    else:
        answers.regions = [region for region in regions if region["geometry"]["coordinates"]]
