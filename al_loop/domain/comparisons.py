"""Comparisons: models of one task each against one model for all of them, and what came of it."""

from typing import Annotated, Literal

import msgspec

from al_loop.domain.jobs import JobState, StoredJob
from al_loop_records.comparisons import ModelCosts, TaskComparison
from al_loop_records.model_card import TaskName
from al_loop_records.runs import ProgressLine


class ComparisonState(JobState):
    """States of a comparison; the last four are ends."""

    QUEUED = "queued"
    SNAPSHOT = "snapshot"
    TRAINING = "training"
    EVALUATING = "evaluating"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class ComparisonRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is compared."""

    tasks: Annotated[list[TaskName], msgspec.Meta(max_length=20)] | None = None
    """Tasks of the campaign, two at least; null: all that have labels on both sides of the test reserve."""
    seeds: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    """How often each model is trained, with random numbers of its own; the same for all models."""
    candidates: Literal["auto", "quick", "deep"] | None = None
    """What each training tries, as `train.candidates` of the settings; null: as the settings have it."""
    max_steps: Annotated[int, msgspec.Meta(ge=1, le=10**9)] | None = None
    """Steps of each deep training, at most; null: as the settings have it."""


class TaskLabels(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled samples of one task in the comparison."""

    task: TaskName
    training: int
    """Calibration included."""
    reserve: int
    """Of the test reserve."""


class ComparisonResult(msgspec.Struct, frozen=True, kw_only=True):
    """The joint model beside one model for each task."""

    tasks: list[TaskComparison]
    """Quality on the same reserve samples; tasks whose reserve shows no class are not in it."""
    models: list[ModelCosts]
    """What each model costs, the joint one last."""
    labels: list[TaskLabels]
    labelled_for_all: int
    """Training samples that are labelled for every task."""
    training_samples: int
    """Training samples that are labelled for any task."""
    training_time: float | None
    """Training time of the joint model, as a share of that of the others together."""
    size: float | None
    """The same of the ONNX files."""
    latency: list[float]
    """The same of one run, by batch size as in `models`."""
    memory: float | None
    """The same of the memory of one run."""
    sentences: list[str]
    """The outcome in words."""
    notices: list[str]
    """What the figures do not say."""


class ModelComparison(StoredJob, frozen=True, kw_only=True):
    """One comparison."""

    request: ComparisonRequest
    """What was asked for."""
    state: ComparisonState
    result: ComparisonResult | None
    """null until it is finished."""


class ComparisonView(ModelComparison, frozen=True, kw_only=True):
    """A comparison of single-task models with a joint one, and what it does right now."""

    progress: ProgressLine | None = None
    """Newest progress of a running one; its message says first which model is trained."""
    log: list[str] = msgspec.field(default_factory=list)
    """Last lines of the program's output if it failed."""


class ComparisonList(msgspec.Struct, frozen=True, kw_only=True):
    """All comparisons of a campaign, oldest first."""

    comparisons: list[ModelComparison]
