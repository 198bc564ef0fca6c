"""What labelling tools are told of each image: classes of the whole, boxes, outlines and points, in its pixels."""

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple

import shapely
from shapely.geometry import MultiPolygon, Polygon

from al_loop.campaigns.exporting.coordinates import UNPLACEABLE, features_of, pixel_geometry
from al_loop.campaigns.exporting.summary import NOWHERE
from al_loop.campaigns.importing.labelling_tools.shapes import IGNORED
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import PIXEL, Sides, covers_a_centre, drawn_of, to_pixels
from al_loop.domain.labels import Label, counting
from al_loop.domain.painting import named_boxes
from al_loop.domain.samples import SampleHeader, SkippedPath
from models.card import TaskSpec
from models.tasks import kind_of

LEFT_OUT_FILE = "left-out.txt"
Corners = list[tuple[float, float]]
ONE_OF_TWO = "one file holds boxes or outlines; export it with --task besides; this one holds those of"


class ImageShapes(NamedTuple):
    """The answers that count for one image."""

    sample: SampleHeader
    names: list[str] | None
    """Classes of the image; empty: looked, none here; None: not answered."""
    boxes: list[tuple[str, Sides]]
    outlines: list[tuple[str, Corners]]
    """Of areas without holes, in painting order: those with holes come in parts; one corner: a point."""
    is_drawn: bool
    """Whether the task of boxes or outlines is answered; without any of them: looked, none here."""

    @property
    def is_blank(self) -> bool:
        """Whether somebody looked and found nothing at all."""
        return not self.names and not self.boxes and not self.outlines


def drawn_task(campaign: Campaign) -> TaskSpec | None:
    """The task whose boxes or outlines are written: the first of the campaign's; None: it asks for classes only."""
    kinds = ((spec, kind_of(spec.task)) for spec in campaign.tasks)
    return next((spec for spec, kind in kinds if kind.finds_objects or kind.per_pixel), None)


def shapes_of_images(
    campaign: Campaign, labels: Iterable[Label], samples: Mapping[int, SampleHeader], skipped: list[SkippedPath]
) -> Iterator[ImageShapes]:
    """What is to be written of each image, by path; answers that cannot be written go to `skipped`.

    An image whose drawn answer cannot be written as a whole keeps its classes only.
    """
    drawn = drawn_task(campaign)
    answered = counting(labels)
    for sample_id in sorted(answered, key=lambda number: samples[number].path):
        sample, answers = samples[sample_id], answered[sample_id]
        names: list[str] | None = None
        boxes: list[tuple[str, Sides]] = []
        outlines: list[tuple[str, Corners]] = []
        is_drawn = False
        for task, label in answers.items():
            if drawn is None or task != drawn.task:
                if label.features is None:
                    names = [*(names or []), *(label.classes or [])]
                else:
                    skipped.append(SkippedPath(path=sample.path, reason=f"{task}: {ONE_OF_TWO} {drawn and drawn.task}"))
                continue
            try:
                if kind_of(task).finds_objects:
                    boxes = _boxes(drawn, label, sample)
                else:
                    outlines = list(_outlines(label, sample))
                is_drawn = True
            except (_UnsayableError, *UNPLACEABLE) as error:
                reason = str(error) if isinstance(error, _UnsayableError) else NOWHERE
                skipped.append(SkippedPath(path=sample.path, reason=f"{task}: {reason}"))
        if names is not None or is_drawn:
            yield ImageShapes(sample, names, boxes, outlines, is_drawn)


class _UnsayableError(Exception):
    """An answer that the format has no words for."""


def _boxes(spec: TaskSpec, label: Label, sample: SampleHeader) -> list[tuple[str, Sides]]:
    found = []
    for name, sides in named_boxes(spec.classes, label, sample):
        found.append((name or IGNORED, sides))
    if not found and features_of(label):
        raise _UnsayableError(NOWHERE)
    return found


def _outlines(label: Label, sample: SampleHeader) -> Iterator[tuple[str, Corners]]:
    for feature in features_of(label):
        name = feature["properties"]["label"] or IGNORED
        if feature["geometry"]["type"] == "Point":
            point = pixel_geometry(feature["geometry"], label.crs, sample)
            if point is None:
                raise _UnsayableError(NOWHERE)
            yield name, [tuple(point["coordinates"])]
            continue
        area = to_pixels(drawn_of(feature), label.crs or PIXEL, sample)
        if area.is_empty:
            raise _UnsayableError(NOWHERE)
        pieces = [piece for part in area.geoms for piece in without_holes(part)]
        painted = [piece for piece in pieces if covers_a_centre(MultiPolygon([piece]))]
        for piece in painted or pieces:  # a piece that paints no pixel would be refused when it is read again
            yield name, list(piece.exterior.coords)[:-1]


def without_holes(area: Polygon) -> Iterator[Polygon]:
    """Parts of a polygon that have no hole and cover it together: cut upright through each hole, between pixels."""
    if not area.interiors:
        yield area
        return
    left, top, right, bottom = area.bounds
    first, _, last, _ = area.interiors[0].bounds
    middle = round((first + last) / 2)
    middle = middle if first < middle < last else (first + last) / 2
    for half in (shapely.box(left, top, middle, bottom), shapely.box(middle, top, right, bottom)):
        for part in shapely.get_parts(area.intersection(half)):
            if isinstance(part, Polygon) and part.area > 0:
                yield from without_holes(part)


def write_archive(target: BinaryIO, name: str, content: bytes, skipped: Sequence[SkippedPath]) -> None:
    """Write a zip of one file of annotations, and `left-out.txt` where something was left out."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
        if skipped:
            archive.writestr(LEFT_OUT_FILE, "".join(f"{entry.path}: {entry.reason}\n" for entry in skipped))
