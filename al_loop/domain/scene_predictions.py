"""Predictions of whole scenes: what is asked for, and what came of it."""

from typing import Annotated

import msgspec

from al_loop.domain.campaigns import PathText, ShortText
from al_loop.domain.jobs import JobState, StoredJob
from al_loop_records.scenes import SceneFormat, SceneResult


class ScenePredictionState(JobState):
    """States of a prediction of a scene; the last four are ends."""

    QUEUED = "queued"
    PREDICTING = "predicting"
    WRITING = "writing"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class ScenePredictionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which scene is to be predicted, and how the answer is written."""

    scene: PathText
    """Relative to the campaign's root, or absolute inside a folder that the service reads (`--imagery`)."""
    task: ShortText | None = None
    """Null: the campaign's only task."""
    format: SceneFormat = "tif"
    """tif: a cloud-optimised GeoTIFF, of class codes, or of probabilities with one pixel a cell; geojson: outlines,
    cells or objects in EPSG:4326."""
    version: ShortText | None = None
    """Of the model, or `champion` or `challenger`; null: the one that serves."""
    cell_px: Annotated[int, msgspec.Meta(ge=32, le=8192)] | None = None
    """Side of a cell in pixels, for a task that gives each image one answer; null: 256, or the model's tile if that is
    smaller."""


class ScenePrediction(StoredJob, frozen=True, kw_only=True):
    """One prediction of a scene."""

    asked: ScenePredictionRequest
    """What was asked for."""
    version: str
    """Of the model that answers."""
    state: ScenePredictionState
    result: SceneResult | None
    """null until it is finished."""
