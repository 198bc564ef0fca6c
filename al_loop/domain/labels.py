"""Is this label acceptable? Checks one annotator's answer against the campaign and the sample, stores nothing."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import read_features
from al_loop.domain.samples import SampleHeader, SampleId
from al_loop.errors import InvalidValueError
from models.card import TaskName, TaskSpec


class CheckedLabel(msgspec.Struct, frozen=True, kw_only=True):
    """An acceptable label, ready to be stored."""

    campaign_id: int
    sample_id: int
    sample_path: str
    task: TaskName
    annotator: str
    classes: list[str] | None
    features: dict[str, Any] | None
    crs: str | None
    override_lease: bool
    labelled_at: datetime
    recorded_at: datetime
    at: str
    """JSON path of the label in the request, for errors found later."""


AnnotatorName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class LabelInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One annotator's complete answer for one (sample, task). Exactly one of `classes` and `features`.

    Empty `classes` or `features` means: looked, none here.
    """

    sample_id: SampleId | None = None
    path: str | None = None
    task: str
    annotator: AnnotatorName
    classes: list[str] | None = None
    features: dict[str, Any] | None = None
    """GeoJSON FeatureCollection; each `properties.label` is a class, or null with `properties.ignore` true."""
    crs: str | None = None
    """CRS of the coordinates: a code of EPSG, ESRI, IGNF or OGC, a URN of one, or WKT; "pixel" = column, row; None =
    EPSG:4326 where the sample has a CRS, else pixels."""
    override_lease: bool = False
    labelled_at: datetime | None = None
    """When the annotator answered; None: now. Must carry a time zone."""


def check_label(
    campaign: Campaign, sample_id: int, header: SampleHeader, label: LabelInput, now: datetime, at: str
) -> CheckedLabel:
    """The label in the form that is stored.

    Args:
        campaign: Whose tasks and classes count.
        sample_id: The sample it is about.
        header: That sample's header.
        label: As it came in.
        now: When it is recorded.
        at: JSON path of the label in the request, as `$.labels[2]`.

    Raises:
        InvalidValueError: With the JSON path of the field.
    """
    spec = campaign.task(label.task)
    if spec is None:
        known = ", ".join(spec.task for spec in campaign.tasks)
        raise InvalidValueError(f"{at}.task", f"campaign {campaign.name!r} has no task {label.task!r}; it asks {known}")
    if label.labelled_at is not None and label.labelled_at.tzinfo is None:
        raise InvalidValueError(f"{at}.labelled_at", "the time has no zone; write it as 2026-01-31T12:00:00Z")
    features, crs = None, None
    if spec.task == "classification":
        _check_classes(spec, label, at)
    else:
        if label.classes is not None:
            raise InvalidValueError(f"{at}.classes", f"{spec.task} is answered with `features`, not `classes`")
        if label.features is None:
            raise InvalidValueError(f"{at}.features", f"{spec.task} needs `features`; an empty list means none here")
        features, crs = read_features(label.features, header, spec.classes, crs=label.crs, at=f"{at}.features")
    return CheckedLabel(
        campaign_id=campaign.campaign_id,
        sample_id=sample_id,
        sample_path=header.path,
        task=spec.task,
        annotator=label.annotator,
        classes=label.classes,
        features=features,
        crs=crs,
        override_lease=label.override_lease,
        labelled_at=label.labelled_at or now,
        recorded_at=now,
        at=at,
    )


def _check_classes(spec: TaskSpec, label: LabelInput, at: str) -> None:
    if label.features is not None:
        raise InvalidValueError(f"{at}.features", f"{spec.task} is answered with `classes`, not `features`")
    if label.crs is not None:
        raise InvalidValueError(f"{at}.crs", "only `features` have a CRS")
    if label.classes is None:
        raise InvalidValueError(f"{at}.classes", f"{spec.task} needs `classes`; an empty list means none of them")
    for index, name in enumerate(label.classes):
        if name not in spec.classes:
            raise InvalidValueError(f"{at}.classes[{index}]", f"no class {name!r}; it is one of {spec.classes}")
        if name in label.classes[:index]:
            raise InvalidValueError(f"{at}.classes[{index}]", f"class {name!r} is named twice")
    if len(label.classes) > 1 and not spec.multi_label:
        raise InvalidValueError(f"{at}.classes", f"{len(label.classes)} classes, but the task takes one")


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A label event as stored: the newest of a (sample, task, annotator) is the current label."""

    label_id: int
    sample_id: int
    path: str
    task: TaskName
    annotator: str
    classes: list[str] | None
    features: dict[str, Any] | None
    crs: str | None
    """CRS of `features`: "EPSG:4326" or "pixel"."""
    retracts: int | None
    """The label that this event withdraws; None for an answer."""
    labelled_at: datetime
    recorded_at: datetime
