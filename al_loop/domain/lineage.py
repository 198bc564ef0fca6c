"""Where a model version comes from, what a label went into, and whether a round can be repeated."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from al_loop_records.model_card import TaskName


class LineageFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a version."""

    name: str
    sha256: str
    """Digest that the version was sealed with."""
    state: Literal["there", "gone", "changed"]
    """Whether it is there as it was sealed."""


class VersionSource(msgspec.Struct, frozen=True, kw_only=True):
    """Labels of one annotator in a manifest."""

    annotator: str
    task: TaskName
    labels: int
    """Current after the manifest's newest event."""
    first_at: datetime
    """When the oldest of them was recorded."""
    last_at: datetime
    """When the newest of them was recorded."""


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a version served."""

    since: datetime
    """When it began to serve."""
    until: datetime | None
    """null: it serves."""
    reason: str


class VersionLineage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version comes from, and what came of it."""

    campaign: str
    version: str
    round_number: int
    started_by: str | None
    """Trigger of the policy, `hand` or `deep`; null: from before this was recorded."""
    reason: str
    manifest_sha256: str | None
    label_event_id: int | None
    """Newest label event of its manifest."""
    as_of: datetime | None
    """When the labels were taken."""
    labels: int | None
    reserve_labels: int | None
    sources: list[VersionSource]
    """Whose labels."""
    code: str | None
    """Version of al-loop and digest of what trains; null: from before this was recorded, as `environment`."""
    seed: int | None
    configuration: dict[str, Any]
    """As `al-loop round diff` compares it."""
    environment: dict[str, Any] | None
    """Packages, processor, threads and device of its training."""
    trained_from: str | None
    """Encoder version that the training started from."""
    incumbent_version: str | None
    """Version that it was measured against."""
    files: list[LineageFile]
    """Its files with their digests; empty where they were removed."""
    served: list[Serving]
    """When it served, oldest first."""
    answers: int
    """Predictions of it that were shown and are remembered."""
    notices: list[str]
    """What cannot be told any more, in sentences."""


class LabelUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did with a label."""

    round_number: int
    """Number of the round."""
    version: str | None
    used: bool
    """Whether it went into the round."""
    split: Literal["train", "calibration", "test"] | None
    """null: it was not used, or nobody can tell any more."""
    why: str
    """In words."""


class LabelLineage(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a label event."""

    label_id: int
    sample_id: int
    path: str
    task: TaskName
    annotator: str
    recorded_at: datetime
    current: bool
    """Whether it is the annotator's answer now."""
    rounds: list[LabelUse]
    """Rounds that came after it, oldest first."""
