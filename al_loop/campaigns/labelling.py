"""Labels into the store: finds their samples, checks them, and stores all of a request or none."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import msgspec

from al_loop.campaigns.classes import former_names
from al_loop.campaigns.imagery.spelling import find_samples
from al_loop.campaigns.imagery.valid_points import refuse_nodata
from al_loop.campaigns.scenes.cutting import cut_to_windows
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import read_features
from al_loop.domain.labels import IMPORT_ANNOTATOR, CheckedLabel, Label, LabelInput, LabelSource, RequestKey
from al_loop.domain.line_widths import DEFAULT_WIDTH_M, DEFAULT_WIDTH_PX
from al_loop.domain.names import as_spelled, spellings
from al_loop.domain.points import DrawnFeatures, joined, with_answers
from al_loop.domain.queries import AskedPoint
from al_loop.domain.samples import SampleHeader
from al_loop.errors import InvalidValueError, NotFoundError
from al_loop.store import LabelStore
from al_loop.store.label_rows import Appended
from models.card import TaskSpec
from models.tasks import task_of

_Answer = tuple[str, str, int]
"""Annotator, task and sample."""
_NOTHING = DrawnFeatures({"type": "FeatureCollection", "features": []}, "")
MOST_NOTICES = 20
"""Most sentences that an answer holds about the labels of one request, and most areas that one names."""


def record_labels(
    store: LabelStore,
    campaign: Campaign,
    inputs: Sequence[LabelInput],
    now: datetime,
    *,
    at: Sequence[str] | None = None,
    request: RequestKey | None = None,
) -> list[Label]:
    """What `record_counted` has stored, or found on record, in the order of `inputs`."""
    return record_counted(store, campaign, inputs, now, at=at, request=request).labels


def record_counted(
    store: LabelStore,
    campaign: Campaign,
    inputs: Sequence[LabelInput],
    now: datetime,
    *,
    at: Sequence[str] | None = None,
    request: RequestKey | None = None,
) -> Appended:
    """Check and store labels, all or none; see `LabelTable.append_counted` for what becomes of leases and imports.

    A label whose path is a scene becomes one for each of its windows, see `al_loop.campaigns.scenes.cutting`.

    Args:
        store: Where samples are looked up and labels go.
        campaign: Whose samples they are.
        inputs: The labels as they came in.
        now: When they are recorded.
        at: JSON path of each label in the request; None: `$.labels[i]`.
        request: Names the request, see `RequestTable.once`.

    Raises:
        InvalidValueError: A value breaks a rule; with the JSON path of the field.
        NotFoundError: No such sample.
        LeasedError: Another annotator has the sample on lease, and `override_lease` is false.
    """
    paths = at or [f"$.labels[{index}]" for index in range(len(inputs))]
    inputs, paths = cut_to_windows(store, campaign, inputs, paths)
    samples = _samples(store, campaign, inputs, paths)
    checked = [
        check_label(campaign, sample_id, header, label, now, path)
        for (sample_id, header), label, path in zip(samples, inputs, paths, strict=True)
    ]
    for (_, header), label in zip(samples, checked, strict=True):
        refuse_nodata(campaign, header, label)
    if not any(label.add for label in inputs):
        return store.labels.append_counted(campaign.campaign_id, checked, request=request)
    with store.labels.adding:  # nobody else may add to a label between its reading and its recording
        checked = _added_to_current(store, campaign, inputs, checked)
        return store.labels.append_counted(campaign.campaign_id, checked, request=request)


def touched_notices(labels: Sequence[Label]) -> list[str]:
    """A sentence for each label with areas that are stored as the pixels that they touch; at most `MOST_NOTICES`."""
    found = []
    for label in labels:
        areas = (label.features or {}).get("features", [])
        touched = [index for index, area in enumerate(areas) if area["properties"].get("all_touched") is True]
        if touched:
            numbers = ", ".join(map(str, touched[:MOST_NOTICES]))
            found.append(
                f"{label.path}: areas {numbers} cover the centre of no pixel and are stored as the pixels they touch"
            )
    return found[:MOST_NOTICES]


def width_notices(labels: Sequence[Label]) -> list[str]:
    """A sentence for each label with lines whose width nothing said; at most `MOST_NOTICES`."""
    found = []
    for label in labels:
        features = (label.features or {}).get("features", [])
        widths = [entry["properties"] for entry in features if entry["properties"].get("width_from") == "default"]
        if widths:
            width = f"{DEFAULT_WIDTH_M:g} m" if "width_m" in widths[0] else f"{DEFAULT_WIDTH_PX:g} px"
            found.append(
                f"{label.path}: nothing says how wide {len(widths)} of its lines are, so they are taken as {width} "
                "wide; send `width_m` with each, or set `lines` in the campaign's settings"
            )
    return found[:MOST_NOTICES]


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
    labelled_at = now if label.labelled_at is None else _in_utc(label.labelled_at, f"{at}.labelled_at")
    if label.classes is not None:
        label = msgspec.structs.replace(label, classes=[as_spelled(name, spec.classes) for name in label.classes])
    features, crs = None, None
    source: LabelSource = "import" if label.source == "person" and label.annotator == IMPORT_ANNOTATOR else label.source
    if source != "person":
        label = _with_present_names(campaign, spec, label)
    _check_in_use(campaign, spec, label, at)
    if label.add and source != "person":
        raise InvalidValueError(f"{at}.add", "labels of an import replace what it said before")
    task = task_of(spec)
    if task.answered_with == "classes":
        if label.add:
            raise InvalidValueError(f"{at}.add", f"only features are added to; {spec.task} is answered with `classes`")
        _check_classes(spec, label, at)
    else:
        if label.classes is not None:
            raise InvalidValueError(f"{at}.classes", f"{spec.task} is answered with `features`, not `classes`")
        if label.features is None:
            raise InvalidValueError(f"{at}.features", f"{spec.task} needs `features`; an empty list means none here")
        features, crs = read_features(
            label.features,
            header,
            spec.classes,
            crs=label.crs,
            at=f"{at}.features",
            all_touched=campaign.settings.all_touched,
            objects=task.finds_objects,
            lines=campaign.settings.lines if task.per_pixel else None,
        )
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
        labelled_at=labelled_at,
        recorded_at=now,
        at=at,
        source=source,
        tasks=tuple(entry.task for entry in campaign.tasks),
    )


def _added_to_current(
    store: LabelStore, campaign: Campaign, inputs: Sequence[LabelInput], checked: Sequence[CheckedLabel]
) -> list[CheckedLabel]:
    """The labels of a request, where those with `add` begin with the features that their annotator gave before.

    Args:
        store: Holds the current labels; its `labels.adding` is held by the caller.
        campaign: Whose labels they are.
        inputs: As they came in.
        checked: The same, checked; in this order.

    Raises:
        InvalidValueError: There is nothing to add, and nothing there before; or the label would grow too large.
    """
    adding = [label for given, label in zip(inputs, checked, strict=True) if given.add]
    current = _said_before(store, campaign, adding)
    headers = store.samples.headers(campaign.campaign_id, [label.sample_id for label in adding])
    asked = _asked(store, campaign, adding)
    result: list[CheckedLabel] = []
    for given, label in zip(inputs, checked, strict=True):
        answer, added_to = (label.annotator, label.task, label.sample_id), None
        drawn = DrawnFeatures.of(label)
        if given.add:
            base, added_to = current.get(answer, (_NOTHING, None))
            header = headers[label.sample_id]
            drawn = joined(base, drawn, header, f"{label.at}.features.features")
            if not drawn.features["features"]:
                raise InvalidValueError(
                    f"{label.at}.features.features",
                    "nothing is added, and nothing was there before; skip the sample if you cannot tell",
                )
            points = asked.get((label.annotator, label.sample_id), [])
            label = msgspec.structs.replace(
                label,
                features=drawn.features,
                crs=drawn.crs,
                added_to=added_to,
                leaves_open=not given.finished
                and not all(point.answered for point in with_answers(points, drawn, header)),
            )
        current[answer] = drawn, added_to
        result.append(label)
    return result


def _said_before(
    store: LabelStore, campaign: Campaign, labels: Iterable[CheckedLabel]
) -> dict[_Answer, tuple[DrawnFeatures, int | None]]:
    """What the annotators said before, and the id of the label that holds it."""
    found: dict[_Answer, tuple[DrawnFeatures, int | None]] = {}
    for (annotator, task), group in groupby(sorted(labels, key=_whose), key=_whose):
        sample_ids = sorted({label.sample_id for label in group})
        for sample_id, label in store.labels.own(campaign.campaign_id, annotator, sample_ids, task).items():
            drawn = DrawnFeatures.of(label)
            found[annotator, task, sample_id] = drawn, label.label_id
    return found


def _asked(
    store: LabelStore, campaign: Campaign, labels: Iterable[CheckedLabel]
) -> dict[tuple[str, int], list[AskedPoint]]:
    """Points that the annotators' leases ask about, by annotator and sample."""
    found: dict[tuple[str, int], list[AskedPoint]] = {}
    for (annotator, _), group in groupby(sorted(labels, key=_whose), key=_whose):
        sample_ids = sorted({label.sample_id for label in group})
        points = store.leases.points_of(campaign.campaign_id, annotator, sample_ids)
        found |= {(annotator, sample_id): asked for sample_id, asked in points.items()}
    return found


def _whose(label: CheckedLabel) -> tuple[str, str]:
    return label.annotator, label.task


def _in_utc(moment: datetime, at: str) -> datetime:
    if moment.tzinfo is None:
        raise InvalidValueError(at, "the time has no zone; write it as 2026-01-31T12:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidValueError(at, "the time lies before year 1 or after year 9999 in UTC") from error


def _with_present_names(campaign: Campaign, spec: TaskSpec, label: LabelInput) -> LabelInput:
    """An import's label with the names that its classes have now: files go on to use those from before a renaming."""
    former = former_names(campaign).get(spec.task)
    if not former:
        return label
    if label.classes is not None:
        return msgspec.structs.replace(label, classes=[former.get(name, name) for name in label.classes])
    parts = (label.features or {}).get("features")
    if not isinstance(parts, list):
        return label
    renamed = []
    for part in parts:
        properties = part.get("properties") if isinstance(part, dict) else None
        name = properties.get("label") if isinstance(properties, dict) else None
        if isinstance(name, str) and name in former:
            part = {**part, "properties": {**part["properties"], "label": former[name]}}
        renamed.append(part)
    return msgspec.structs.replace(label, features={**(label.features or {}), "features": renamed})


def _check_in_use(campaign: Campaign, spec: TaskSpec, label: LabelInput, at: str) -> None:
    """Refuse retired classes."""
    retired = campaign.retired(spec.task)
    if not retired:
        return
    named: list[tuple[Any, str]] = [(name, f"{at}.classes[{index}]") for index, name in enumerate(label.classes or [])]
    parts = (label.features or {}).get("features")
    for index, part in enumerate(parts if isinstance(parts, list) else []):
        properties = part.get("properties") if isinstance(part, dict) else None
        name = properties.get("label") if isinstance(properties, dict) else None
        named.append((name, f"{at}.features.features[{index}].properties.label"))
    for name, path in named:
        if isinstance(name, str) and as_spelled(name, retired) in retired:
            in_use = ", ".join(entry for entry in spec.classes if entry not in retired)
            raise InvalidValueError(path, f"class {name!r} is retired; give one of {in_use}")


def _check_classes(spec: TaskSpec, label: LabelInput, at: str) -> None:
    if label.features is not None:
        raise InvalidValueError(f"{at}.features", f"{spec.task} is answered with `classes`, not `features`")
    if label.crs is not None:
        raise InvalidValueError(f"{at}.crs", "only `features` have a CRS")
    if label.classes is None:
        raise InvalidValueError(f"{at}.classes", f"{spec.task} needs `classes`; an empty list means none of them")
    refused = task_of(spec).refused(label.classes)
    if refused is not None:
        index, reason = refused
        raise InvalidValueError(f"{at}.classes" if index is None else f"{at}.classes[{index}]", reason)


def _samples(
    store: LabelStore, campaign: Campaign, inputs: Sequence[LabelInput], at: Sequence[str]
) -> list[tuple[int, SampleHeader]]:
    """Id and header of the sample of each label, found by its path or id."""
    paths = [label.path for label in inputs if label.path is not None]
    stored = store.samples.by_paths(campaign.campaign_id, set().union(*map(spellings, paths))) if paths else {}
    id_of = {path: stored[found] for path in paths if (found := _as_stored(path, stored)) is not None}
    if unknown := [path for path in paths if path not in id_of]:
        id_of |= find_samples(store, campaign, unknown)
    ids = [_sample_id(label, id_of, path) for label, path in zip(inputs, at, strict=True)]
    headers = store.samples.headers(campaign.campaign_id, ids)
    for sample_id, path in zip(ids, at, strict=True):
        if sample_id not in headers:
            raise NotFoundError("sample", sample_id, f"campaign {campaign.name!r} has none - at `{path}.sample_id`")
    return [(sample_id, headers[sample_id]) for sample_id in ids]


def _as_stored(path: str, stored: Mapping[str, int]) -> str | None:
    """The path as it was registered: as it came, or else in the other spelling of Unicode."""
    return path if path in stored else next((other for other in sorted(spellings(path)) if other in stored), None)


def _sample_id(label: LabelInput, id_of: Mapping[str, int], at: str) -> int:
    if label.path is None:
        if label.sample_id is None:
            raise InvalidValueError(at, "a label needs `sample_id` or `path`")
        return label.sample_id
    if label.path not in id_of:
        raise NotFoundError("sample", label.path, f"register it first - at `{at}.path`")
    if label.sample_id not in (None, id_of[label.path]):
        raise InvalidValueError(f"{at}.sample_id", f"{label.path} is sample {id_of[label.path]}; send one of the two")
    return id_of[label.path]
