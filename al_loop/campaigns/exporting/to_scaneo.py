"""A zip in SCANEO's own format: unpack it into the campaign folder and create a campaign from that folder."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import msgspec
import shapely

from al_loop.campaigns.exporting.coordinates import as_area, features_of
from al_loop.campaigns.exporting.summary import ExportSummary
from al_loop.campaigns.scaneo_format import (  # fmt: skip
    ANNOTATION_SUFFIX,
    LABELS_FILE,
    Annotation,
    AnnotationCollection,
    Extension,
    Geometry,
    IgnoredRegion,
    LabelList,
    LabelName,
    Properties,
)
from al_loop.domain.campaigns import Campaign
from al_loop.domain.class_colours import class_colours
from al_loop.domain.labels import Label, counting
from al_loop.domain.samples import SampleHeader, SkippedPath
from models.card import TaskName
from models.tasks import kind_of

LEFT_OUT_FILE = "left-out.txt"
_NOWHERE = Geometry("Polygon")


class _Answer(msgspec.Struct, frozen=True):
    """One answer in SCANEO's words, its coordinates already encoded."""

    label_id: int
    annotations: list[Annotation]
    ignored: list[IgnoredRegion]
    placed: bool
    """False: it has polygons, and nothing tells where on Earth they lie."""
    ignored_boxes: list[Geometry] = []


def write_scaneo(
    target: BinaryIO, campaign: Campaign, labels: Iterable[Label], samples: Mapping[int, SampleHeader]
) -> ExportSummary:
    """Write `spai.json` and one GeoJSON an image, of the answer to each task that counts (`counting`).

    Polygons, and the pixels that lines cover, become MultiPolygons in EPSG:4326, as SCANEO's brush draws them; objects
    become boxes, one a polygon. What SCANEO cannot say (an empty answer, regions to ignore) goes to the member
    `al_loop`, which it passes over and our import reads. Left out, with a reason in `left-out.txt`: polygons on samples
    without a place on Earth, and images that share their annotation file with another. Memory grows with the size of
    the answers written.

    Args:
        target: Seekable file.
        campaign: Its tasks name the labels.
        labels: Current labels in any order.
        samples: The sample of each label, by id.
    """
    skipped: list[SkippedPath] = []
    owners: dict[str, str] = {}
    written = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(LABELS_FILE, msgspec.json.encode(_label_list(campaign)))
        for sample_id, answers in _counting_answers(labels, samples).items():
            path = samples[sample_id].path
            placed = {task: answer for task, answer in answers.items() if answer.placed}
            if len(placed) < len(answers):
                skipped.append(SkippedPath(path=path, reason=_without_place(samples[sample_id])))
            file = str(PurePosixPath(path).with_suffix(ANNOTATION_SUFFIX))
            if owners.setdefault(file, path) != path:
                skipped.append(SkippedPath(path=path, reason=f"its annotation file belongs to {owners[file]}"))
            elif placed:
                archive.writestr(file, msgspec.json.encode(_collection(placed)))
                written += len(placed)
        if skipped:
            archive.writestr(LEFT_OUT_FILE, "".join(f"{entry.path}: {entry.reason}\n" for entry in skipped))
    return ExportSummary(labels=written, skipped=skipped)


def _without_place(sample: SampleHeader) -> str:
    if sample.crs is None or sample.transform is None:
        return "polygons on an image without a CRS"
    if sample.placed:
        return "polygons beyond what the image's CRS covers, which has no longitude and latitude there"
    return f"polygons on an image without a place on Earth: {sample.place_problem or 'its CRS does not tell one'}"


def _label_list(campaign: Campaign) -> LabelList:
    return LabelList(
        [LabelName(name, colour) for name, colour in class_colours(campaign.tasks, campaign.chosen_colours).items()]
    )


def _counting_answers(
    labels: Iterable[Label], samples: Mapping[int, SampleHeader]
) -> dict[int, dict[TaskName, _Answer]]:
    return {
        sample_id: {task: _answer(label, samples[sample_id]) for task, label in answers.items()}
        for sample_id, answers in counting(labels).items()
    }


def _answer(label: Label, sample: SampleHeader) -> _Answer:
    if kind_of(label.task).finds_objects:
        return _boxes(label, sample)
    names = label.classes or []
    annotations = [Annotation(_NOWHERE, Properties(label=name, task="classification")) for name in names]
    ignored: list[IgnoredRegion] = []
    for position, feature in enumerate(features_of(label)):
        geometry = as_area(feature, label.crs, sample)
        if geometry is None:
            return _Answer(label.label_id, [], [], placed=False)
        name = feature["properties"]["label"]
        if name is None:
            ignored.append(IgnoredRegion(position, _multi_polygon(geometry)))
        else:
            annotations.append(Annotation(_multi_polygon(geometry), Properties(label=name, task="segmentation")))
    return _Answer(label.label_id, annotations, ignored, placed=True)


def _boxes(label: Label, sample: SampleHeader) -> _Answer:
    """Boxes as SCANEO draws them, with two corners; and the polygon, which says more of a box that is turned there."""
    annotations: list[Annotation] = []
    ignored: list[Geometry] = []
    for feature in features_of(label):
        geometry = as_area(feature, label.crs, sample)
        if geometry is None:
            return _Answer(label.label_id, [], [], placed=False)
        name = feature["properties"]["label"]
        for part in shapely.get_parts(shapely.geometry.shape(geometry)):
            polygon = Geometry(
                "Polygon", msgspec.Raw(msgspec.json.encode(shapely.geometry.mapping(part)["coordinates"]))
            )
            if name is None:
                ignored.append(polygon)
            else:
                west, south, east, north = part.bounds
                corners = ((south, east), (north, west))  # in the order in which its annotators draw
                annotations.append(Annotation(polygon, Properties(label=name, task=label.task, bbox=corners)))
    return _Answer(label.label_id, annotations, [], placed=True, ignored_boxes=ignored)


def _multi_polygon(geometry: dict[str, Any]) -> Geometry:
    coordinates = geometry["coordinates"]
    if geometry["type"] == "Point":
        return Geometry("Point", msgspec.Raw(msgspec.json.encode(coordinates)))
    parts = coordinates if geometry["type"] == "MultiPolygon" else [coordinates]
    return Geometry("MultiPolygon", msgspec.Raw(msgspec.json.encode(parts)))


def _collection(answers: Mapping[TaskName, _Answer]) -> AnnotationCollection:
    annotations = [annotation for answer in answers.values() for annotation in answer.annotations]
    ignored = [region for answer in answers.values() for region in answer.ignored]
    boxes = [region for answer in answers.values() for region in answer.ignored_boxes]
    empty = sorted(task for task, answer in answers.items() if not answer.annotations and not answer.ignored)
    extension = Extension(empty, ignored, boxes)
    return AnnotationCollection(annotations, None if extension == Extension() else extension)
