"""SCANEO's files, read and written: `spai.json` (older: `labels.json`) and one GeoJSON of annotations an image.

An annotation is one feature; those of one image and task together are one complete answer. What SCANEO cannot say
(an image that was looked at and holds nothing, regions to ignore) travels in the member `al_loop` of the
collection, which SCANEO passes over.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from al_loop_records.json_texts import read_json
from models.card import TaskName

LABELS_FILE = "spai.json"
OLD_LABELS_FILE = "labels.json"
ANNOTATION_SUFFIX = ".geojson"
OLD_ANNOTATION_ENDING = "_labels"
PROMPT = "prompt for a model, not a label"
"""Why a click is no annotation."""
SAME_CORNER = 1e-7
"""Degrees, a centimetre: how far the bounds of a detection's polygon may lie from its `bbox`."""
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
    bbox: Any = None
    """Detection: two opposite corners in any order, (latitude, longitude) each."""


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
    ignored_boxes: list[Geometry] = []
    """Polygons whose bounds say nothing to detection."""


class AnnotationCollection(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="FeatureCollection"):
    """The annotations of one image."""

    features: list[Annotation]
    al_loop: Extension | None = None


@dataclass
class Answers:
    """The complete answers that one file holds; None: the task was not answered."""

    classes: list[str] | None = None
    """Classification; without repetitions, in the order of the file."""
    regions: list[dict[str, Any]] | None = None
    """Segmentation; GeoJSON features in painting order, as `LabelInput.features` wants them."""
    boxes: list[dict[str, Any]] | None = None
    """Detection; GeoJSON features with a polygon each, in the order of the file."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> number of annotations that were left out for it."""


def read_labels_file(data: bytes) -> LabelList:
    """Decode `spai.json` or `labels.json`.

    Raises:
        msgspec.DecodeError: Not a label list.
    """
    found: LabelList = read_json(data.removeprefix(_BYTE_ORDER_MARK), LabelList)
    return found


def read_annotations(data: bytes) -> Answers:
    """Gather the features of one file into one complete answer a task.

    A segmentation with a feature that is neither polygon, line nor point is not taken at all: without that feature it
    would be a different answer. Polygons without coordinates are left out of it. Nor is a detection with a box that has
    no two corners; its box is the `bbox`, as SCANEO reads it, or the polygon where that has the same bounds.

    Raises:
        msgspec.DecodeError: Not a SCANEO annotation file.
    """
    collection = read_json(data.removeprefix(_BYTE_ORDER_MARK), AnnotationCollection)
    answers = Answers()
    extension = collection.al_loop or Extension()
    regions: list[dict[str, Any]] = []
    boxes: list[dict[str, Any] | None] = []
    for annotation in collection.features:
        for label, task in _pairs(annotation.properties, answers):
            if task == "classification":
                answers.classes = list(dict.fromkeys([*(answers.classes or []), label]))
            elif task == "segmentation":
                regions.append(_region(annotation.geometry, label))
            elif task == "detection":
                boxes.append(_box(annotation, label))
            else:
                answers.left_out[f"task {task!r} is unknown"] += 1
    if "classification" in extension.answered:
        answers.classes = answers.classes or []
    if regions or extension.ignored or "segmentation" in extension.answered:
        _take_regions(answers, regions, extension.ignored)
    if boxes or extension.ignored_boxes or "detection" in extension.answered:
        _take_boxes(answers, boxes, extension.ignored_boxes)
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
    coordinates = read_json(geometry.coordinates) if geometry is not None else []
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


TAKEN = frozenset({"Polygon", "MultiPolygon", "LineString", "MultiLineString", "Point"})
"""Geometries of a segmentation; SCANEO draws no lines, but files beside its images may hold some."""


def _take_regions(answers: Answers, regions: list[dict[str, Any]], ignored: list[IgnoredRegion]) -> None:
    for region in sorted(ignored, key=lambda region: region.position):
        regions.insert(region.position, _region(region.geometry, None))
    strange = {str(region["geometry"]["type"]) for region in regions} - TAKEN
    if strange:
        kinds = ", ".join(sorted(strange))
        reason = f"segmentation not taken: it has a {kinds} where only polygons, lines and points make sense"
        answers.left_out[reason] += len(regions)
    else:
        answers.regions = [region for region in regions if region["geometry"]["coordinates"]]


def _box(annotation: Annotation, label: str | None) -> dict[str, Any] | None:
    """A detection as a feature with a polygon; None: it has no corners."""
    drawn = _region(annotation.geometry, label)
    corners = annotation.properties.bbox
    bounds = _bounds(drawn["geometry"]["coordinates"]) if drawn["geometry"]["type"] == "Polygon" else None
    if corners is None:
        return None if bounds is None else drawn
    try:
        (one, east_or_west), (other, west_or_east) = msgspec.convert(corners, list[tuple[float, float]])
    except (msgspec.ValidationError, ValueError):
        return None
    west, south = min(east_or_west, west_or_east), min(one, other)
    east, north = max(east_or_west, west_or_east), max(one, other)
    if bounds is not None and max(map(abs, np.subtract(bounds, (west, south, east, north)))) < SAME_CORNER:
        return drawn  # the bounds of a box that is rotated on the ground say less than its corners
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {**drawn, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def _bounds(rings: object) -> tuple[float, float, float, float] | None:
    """West, south, east and north of a polygon; None: it has no positions."""
    try:
        positions = np.asarray(msgspec.convert(rings, list[list[list[float]]])[0], np.float64)[:, :2]
    except (msgspec.ValidationError, IndexError, ValueError):
        return None
    west, south = positions.min(axis=0)
    east, north = positions.max(axis=0)
    return float(west), float(south), float(east), float(north)


def _take_boxes(answers: Answers, boxes: list[dict[str, Any] | None], ignored: list[Geometry]) -> None:
    if None in boxes:
        answers.left_out["detection not taken: it has a box without two corners"] += len(boxes)
    else:
        answers.boxes = [*(_region(geometry, None) for geometry in ignored), *(box for box in boxes if box is not None)]
