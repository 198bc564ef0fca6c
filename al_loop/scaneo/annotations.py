"""An image's annotations in SCANEO -> what a person answered there, with what a machine wrote left out.

SCANEO stores a model's output as if a person had drawn it. A model's mask keeps a `crs` member until an annotator
draws on it; a model's class leaves no trace at all, so that it is recognised by its value and the moment it was
written, against the predictions that we have shown.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from al_loop.domain.names import as_spelled
from al_loop.scaneo.records import MARK, ScaneoAnnotation
from models.card import TaskSpec
from models.tasks import kind_of

WRITTEN_WITHIN = timedelta(seconds=10)
"""A model's rows appear tens of milliseconds after its answer; SCANEO may be slow."""

CLOCKS_APART = timedelta(seconds=1)
"""How far our clock and SCANEO's may differ."""

TOUCHED_AFTER = timedelta(seconds=1)
"""A fresh row's `updatedAt` lies microseconds after its `createdAt`; a person's click lies later."""

ZONE_STEP = timedelta(minutes=15)
"""SCANEO's times are local ones without a zone; every zone lies a multiple of this from UTC."""


class ShownClass(msgspec.Struct, frozen=True):
    """A class that one of our models has suggested for an image."""

    label: str
    shown_at: datetime
    """Aware."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said about one image for one task: the complete label."""

    task: str
    classes: list[str] | None = None
    features: dict[str, Any] | None = None
    """A FeatureCollection in EPSG:4326; untouched machine masks in it are regions to ignore."""


class OfferedHere(msgspec.Struct, frozen=True):
    """A box that we offered on an image."""

    annotation_id: str
    geometry: dict[str, Any] | None
    """The polygon that has this box in pixels of the image, in EPSG:4326; None: only the corners there are known."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """All that one image's annotations say."""

    answers: list[Answer]
    machine: list[str]
    """Ids of the annotations that a machine wrote and nobody touched."""
    problems: list[str]
    """What a person has to put right in SCANEO, a sentence each."""


def read_annotations(
    annotations: Sequence[ScaneoAnnotation],
    tasks: Sequence[TaskSpec],
    shown: Sequence[ShownClass],
    offered: Sequence[OfferedHere] = (),
) -> Reading:
    """Tell people's answers from machines' and gather each task's complete label.

    An image that holds nothing but untouched machine annotations has no answer. Where a person has drawn beside
    untouched machine masks, these become regions to ignore: nobody said that they are right, nor that they are wrong.

    Boxes are looked at one by one: who draws, moves or deletes one has seen those beside it, and the offered ones that
    are left as they were count as accepted. Where all of them were deleted, the image shows none. In a campaign that
    asks for no masks, each polygon of the brush is an object, too.

    Args:
        annotations: All of one image.
        tasks: Those of the campaign.
        shown: Classes that our models have suggested for this image, in any order.
        offered: Boxes that we have offered on it.
    """
    answers: list[Answer] = []
    machine: list[str] = []
    problems: list[str] = []
    for spec in tasks:
        named = [msgspec.structs.replace(row, value=as_spelled(row.value, spec.classes)) for row in annotations]
        if spec.task == "classification":
            rows = [row for row in named if row.type == "classification"]
            touched = [row for row in rows if not is_untouched_class(row, shown)]
            machine += [row.id for row in rows if row not in touched]
            answer, problem = _classes(touched, spec)
        elif kind_of(spec.task).finds_objects:
            brush = [] if any(kind_of(other.task).per_pixel for other in tasks) else ["segmentation"]
            rows = [row for row in named if row.type in ("detection", *brush) and row.value != MARK]
            rows = [row for row in rows if not row.is_untouched_mask]
            answer, problem, untouched = _objects(rows, spec, offered)
            machine += untouched
        else:
            rows = [row for row in named if row.type == "segmentation"]
            touched = [row for row in rows if not row.is_untouched_mask]
            machine += [row.id for row in rows if row.is_untouched_mask]
            answer, problem = _regions(rows, spec) if touched else (None, [])
        problems += problem
        if answer is not None:
            answers.append(answer)
    return Reading(answers=answers, machine=machine, problems=problems)


def is_untouched_class(row: ScaneoAnnotation, shown: Sequence[ShownClass]) -> bool:
    """Whether a class was written by a model's run and not set again by a person.

    Running a model again moves `updatedAt` as a person's click does; it is a click unless a later answer of ours
    explains it.
    """
    same = [entry.shown_at for entry in shown if entry.label == row.value]
    makers = [shown_at for shown_at in same if _follows(row.created_at, shown_at)]
    waited = row.updated_at - row.created_at
    if waited < TOUCHED_AFTER:
        return bool(makers)
    return any(
        later > maker and -CLOCKS_APART <= waited - (later - maker) <= WRITTEN_WITHIN
        for maker in makers
        for later in same
    )


def _follows(local: datetime, shown_at: datetime) -> bool:
    """Whether a naive local time lies just after an aware one, whatever the zone of the first."""
    apart = local - shown_at.astimezone(UTC).replace(tzinfo=None)
    return (apart + CLOCKS_APART) % ZONE_STEP <= WRITTEN_WITHIN + CLOCKS_APART


def _classes(rows: Sequence[ScaneoAnnotation], spec: TaskSpec) -> tuple[Answer | None, list[str]]:
    known = [name for name in spec.classes if any(row.value == name for row in rows)]
    problems = _unknown(rows, spec)
    if len(known) > 1 and not spec.multi_label:
        return None, [*problems, f"the image has {len(known)} classes ({', '.join(known)}); delete all but one"]
    return (Answer(task=spec.task, classes=known) if known else None), problems


def _regions(rows: Sequence[ScaneoAnnotation], spec: TaskSpec) -> tuple[Answer | None, list[str]]:
    problems = _unknown(rows, spec)
    ignored: list[dict[str, Any]] = []
    drawn: list[dict[str, Any]] = []
    for row in rows:
        if row.value not in spec.classes:
            continue
        geometry = row.layer_data.get("geometry") if isinstance(row.layer_data, dict) else None
        if not isinstance(geometry, dict):
            problems.append(f"a mask of class {row.value!r} has no outline; delete it in SCANEO")
            continue
        feature = {"type": "Feature", "geometry": geometry}
        if row.is_untouched_mask:
            ignored.append(feature | {"properties": {"label": None, "ignore": True}})
        else:
            drawn.append(feature | {"properties": {"label": row.value}})
    if not drawn:
        return None, problems
    collection = {"type": "FeatureCollection", "features": [*ignored, *drawn]}  # what is known lies on top
    return Answer(task=spec.task, features=collection), problems


def _objects(
    rows: Sequence[ScaneoAnnotation], spec: TaskSpec, offered: Sequence[OfferedHere]
) -> tuple[Answer | None, list[str], list[str]]:
    """The boxes of an image if a person has worked on it; what to put right; ids of boxes that are a machine's only."""
    ours = {box.annotation_id: box for box in offered}
    untouched = [row.id for row in rows if row.id in ours and row.updated_at - row.created_at < TOUCHED_AFTER]
    problems = _unknown(rows, spec)
    if len(untouched) == len(rows) and len(ours) == len(untouched):
        return None, problems, untouched
    features: list[dict[str, Any]] = []
    for row in rows:
        if row.value not in spec.classes:
            continue
        geometries = [ours[row.id].geometry] if row.id in untouched else []
        if not any(geometries):
            geometries = [*_polygons(row)]
        if not geometries:
            problems.append(f"a box of class {row.value!r} has no two corners; delete it in SCANEO")
        features += [
            {"type": "Feature", "geometry": geometry, "properties": {"label": row.value}} for geometry in geometries
        ]
    if rows and not features:
        return None, problems, []
    return Answer(task=spec.task, features={"type": "FeatureCollection", "features": features}), problems, []


def _polygons(row: ScaneoAnnotation) -> list[dict[str, Any]]:
    """The area of a box, or each polygon of a brush."""
    if row.type == "detection":
        if row.bb is None or len(row.bb) != 2:
            return []
        (one, first), (other, second) = row.bb
        south, north = sorted((one, other))
        west, east = sorted((first, second))
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        return [{"type": "Polygon", "coordinates": [ring]}]
    geometry = row.layer_data.get("geometry") if isinstance(row.layer_data, dict) else None
    if not isinstance(geometry, dict) or not isinstance(geometry.get("coordinates"), list):
        return []
    parts = geometry["coordinates"] if geometry.get("type") == "MultiPolygon" else [geometry["coordinates"]]
    return [{"type": "Polygon", "coordinates": part} for part in parts]


def _unknown(rows: Sequence[ScaneoAnnotation], spec: TaskSpec) -> list[str]:
    names = sorted({row.value for row in rows} - set(spec.classes))
    return [f"label {name!r} is no class of the campaign's {spec.task} task; left out" for name in names]
