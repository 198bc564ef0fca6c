"""Trainings of super-resolution that the service runs: what is asked for, and what came of it."""

import msgspec

from al_loop.domain.campaigns import PathText
from al_loop.domain.jobs import JobState, StoredJob
from al_loop_records.runs import ProgressLine
from al_loop_records.super_resolution import SuperResolutionConfig, SuperResolutionReport


class SuperResolutionState(JobState):
    """States of a training of super-resolution; the last four are ends."""

    QUEUED = "queued"
    TRAINING = "training"
    EVALUATING = "evaluating"
    EXPORTING = "exporting"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class SuperResolutionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pairs to train on, and the recipe."""

    pairs: PathText
    """Folder that `al-loop super-resolution pairs` made: relative to the campaign's root, or absolute inside a folder
    that the service reads (`--imagery`)."""
    config: SuperResolutionConfig = SuperResolutionConfig()
    """The recipe."""


class SuperResolutionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The model that a training made."""

    version: str
    """Of the model."""
    factor: int
    """Pixels it makes along one of the image: 2 or 4."""
    bands: list[int]
    """1-based bands of the images that it makes."""
    folder: str
    """Of the model, as `settings.view.super_resolution` takes it. It is part of backups."""
    seconds: float
    """Of training, in processor or wall time as `config.minutes` says."""
    report: SuperResolutionReport
    """Its measures beside bicubic."""


class SuperResolutionTraining(StoredJob, frozen=True, kw_only=True):
    """One training of super-resolution."""

    request: SuperResolutionRequest
    """What was asked for."""
    state: SuperResolutionState
    """See `states`."""
    result: SuperResolutionResult | None
    """null until it is finished."""


class SuperResolutionView(SuperResolutionTraining, frozen=True, kw_only=True):
    """A training of super-resolution, and what it does right now."""

    progress: ProgressLine | None = None
    """Newest progress of a running one: steps or seconds done of those expected, loss."""
    log: list[str] = msgspec.field(default_factory=list)
    """Last lines of the program's output if it failed."""
