"""Suggestions: whether an image gets one, and taking one over as an annotator's own label."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.geojson import PIXEL
from al_loop.domain.labels import Label, LabelInput, RequestKey
from al_loop.domain.predictions import RememberedPrediction
from al_loop.errors import ConflictError, InvalidValueError, NotFoundError, WithheldError
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.rasters.masks import codes_to_polygons
from models.tasks import task_of


def accept_suggestion(
    store: LabelStore,
    campaign: Campaign,
    sample_id: int,
    *,
    annotator: str,
    task: str | None,
    prediction_ids: Sequence[int] | None,
    now: datetime,
    request: RequestKey | None = None,
) -> list[Label]:
    """Record the newest suggestions that were shown for a sample as labels, which end the annotator's lease.

    Args:
        store: Where suggestions are and labels go.
        campaign: Whose sample it is.
        sample_id: The sample.
        annotator: Who accepts.
        task: One task; None: every task that something was suggested for.
        prediction_ids: What the annotator looks at: nothing is recorded if there is something newer. None: no matter.
        now: When it is accepted.
        request: Names the request, see `RequestTable.once`.

    Raises:
        NotFoundError: No such sample, or nothing was suggested for it.
        InvalidValueError: The campaign has no such task.
        WithheldError: The sample is one of those that get no suggestion.
        ConflictError: There is a newer suggestion, or its mask was too large to keep.
        LeasedError: Another annotator has the sample on lease.
    """
    store.samples.get(campaign.campaign_id, sample_id)
    specs = [spec for spec in campaign.tasks if task in (None, spec.task)]
    if not specs:
        known = ", ".join(spec.task for spec in campaign.tasks)
        raise InvalidValueError("$.task", f"campaign {campaign.name!r} has no task {task!r}; it asks {known}")
    newest = [
        (spec, store.predictions.newest(campaign.campaign_id, sample_id, spec.task, blind=None)) for spec in specs
    ]
    found = [(spec, entry) for spec, entry in newest if entry is not None and not entry.blind]
    if not found:
        if any(entry is not None for _, entry in newest):
            raise WithheldError
        raise NotFoundError("suggestion for sample", sample_id, "ask for one with `suggest` first")
    if prediction_ids is not None and {entry.prediction_id for _, entry in found} - set(prediction_ids):
        raise ConflictError("there is a newer suggestion for this sample; look at it before accepting")
    inputs = [_label(spec, prediction, sample_id, annotator) for spec, prediction in found]
    return record_labels(store, campaign, inputs, now, at=["$"] * len(inputs), request=request)


def mask_features(codes: NDArray[np.uint8], classes: Sequence[str]) -> dict[str, Any]:
    """A mask as GeoJSON in pixel coordinates; rasterised again it is the same mask.

    Args:
        codes: Shape (H, W): 0 = background, k = k-th class.
        classes: Classes of the task.

    Returns:
        A FeatureCollection with one MultiPolygon for each class that is present.
    """
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"label": classes[code - 1]},
                "geometry": shapely.geometry.mapping(
                    geometry if isinstance(geometry, shapely.MultiPolygon) else shapely.MultiPolygon([geometry])
                ),
            }
            for code, geometry in codes_to_polygons(codes)
        ],
    }


def mask_regions(codes: NDArray[np.uint8], classes: Sequence[str]) -> dict[str, Any]:
    """A mask as GeoJSON in pixel coordinates, one Polygon for each connected region, so that each can be edited.

    Args:
        codes: Shape (H, W): 0 = background, k = k-th class.
        classes: Classes of the task.
    """
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"label": classes[code - 1], "area_px": round(part.area)},
                "geometry": shapely.geometry.mapping(part),
            }
            for code, geometry in codes_to_polygons(codes)
            for part in shapely.get_parts(geometry)
        ],
    }


def proposed_objects(
    spec: TaskSpec, prediction: RememberedPrediction, retired: Collection[str]
) -> dict[str, Any] | None:
    """The objects of a suggestion as GeoJSON in pixel coordinates; None for a task that finds none.

    Args:
        spec: The task.
        prediction: What was suggested.
        retired: Classes that are no longer given; objects of them are left out.
    """
    drawn = task_of(spec).drawn(prediction.answer)
    if drawn is None:
        return None
    return drawn | {"features": [part for part in drawn["features"] if part["properties"]["label"] not in retired]}


def class_shares(answer: Mapping[str, Any], classes: Sequence[str]) -> dict[str, float] | None:
    """Share of an image's valid area that a remembered mask gives each class; None for a task without masks.

    Args:
        answer: Of a `RememberedPrediction`.
        classes: Classes of the task.
    """
    pixels = answer.get("pixels")
    if pixels is None:
        return None
    valid = max(1, answer.get("valid_px", sum(pixels.values())))
    return {classes[int(code) - 1]: count / valid for code, count in pixels.items() if code != "0"}


def _label(spec: TaskSpec, prediction: RememberedPrediction, sample_id: int, annotator: str) -> LabelInput:
    fields: dict[str, Any] = {"sample_id": sample_id, "task": spec.task, "annotator": annotator}
    task = task_of(spec)
    drawn = task.drawn(prediction.answer)
    if drawn is not None:
        return LabelInput(**fields, features=drawn, crs=PIXEL)
    if not task.per_pixel:
        return LabelInput(**fields, classes=task.proposed(prediction.answer))
    if prediction.mask is None:
        raise ConflictError("the suggested mask was too large to be kept; draw the label by hand")
    return LabelInput(**fields, features=mask_features(prediction.mask, spec.classes), crs=PIXEL)
