"""Reproductions: a round trained again from its manifest, and what came of it."""

from typing import Literal

import msgspec

from al_loop.domain.jobs import JobState, StoredJob
from al_loop_records.model_card import TaskName


class ReproductionState(JobState):
    """States of a reproduction; the last four are ends."""

    QUEUED = "queued"
    SNAPSHOT = "snapshot"
    TRAINING = "training"
    EVALUATING = "evaluating"
    EXPORTING = "exporting"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class FileDigest(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the model, then and now."""

    name: str
    then: str | None
    """sha256; null: the version's files are gone."""
    now: str
    """sha256 of the file that was trained now."""


class RepeatedMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric on the same reserve samples, then and now."""

    task: TaskName
    metric: str
    then: float
    """What the round measured."""
    now: float | None
    """What was measured now; null: the task has no figure."""


class ReproductionResult(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the same model came out."""

    reproduced: bool
    """Whether the same model came out."""
    compared: Literal["digests", "metrics", "nothing"]
    """nothing: it was not trained, as what it was trained on is not there any more."""
    sentence: str
    """The verdict, with what it rests on."""
    digests: list[FileDigest] = []
    """Files of the model."""
    metrics: list[RepeatedMetric] = []
    """Metrics on the same reserve samples."""
    environment: list[str] = []
    """What is different between the environments, such as "torch 2.9.0 then, 2.9.1 now"."""
    changed_files: list[str] = []
    """Images that are not what they were, with the reason."""
    labels_rebuilt: bool = False
    """Whether the labels were put together again from their events, as the round's own file was gone."""


class Reproduction(StoredJob, frozen=True, kw_only=True):
    """One round trained again."""

    round_number: int
    """Number of the round that is trained again."""
    tolerance: float
    """How much a metric may differ where bits cannot be compared."""
    state: ReproductionState
    result: ReproductionResult | None
    """null until it is finished."""
