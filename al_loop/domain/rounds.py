"""Rounds and pretrainings with their states, model versions, promotions, and points of the learning curve."""

from datetime import datetime
from typing import Literal

import msgspec

from al_loop.domain.jobs import JobState, StoredJob
from al_loop.domain.retraining import TriggerName
from al_loop_records.model_card import Evaluation, TaskName
from al_loop_records.pretraining import PretrainConfig, PretrainSummary


class RoundState(JobState):
    """States of a round; the last six are ends, of which a candidate may still become promoted or rejected."""

    QUEUED = "queued"
    SNAPSHOT = "snapshot"
    TRAINING = "training"
    EVALUATING = "evaluating"
    EXPORTING = "exporting"
    GATE = "gate"
    SCORING = "scoring"
    CANDIDATE = "candidate"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_end(self) -> bool:
        """Whether nothing follows this state."""
        return self in ROUND_ENDS


ROUND_ENDS = frozenset(
    {
        RoundState.CANDIDATE,
        RoundState.PROMOTED,
        RoundState.REJECTED,
        RoundState.FAILED,
        RoundState.CANCELLED,
        RoundState.INTERRUPTED,
    }
)


StartedBy = TriggerName | Literal["hand", "deep", "added"]


class Round(StoredJob, frozen=True, kw_only=True):
    """One turn of the loop: snapshot, training, evaluation, gate, scoring."""

    state: RoundState
    reason: str
    """Why it was started: "ops", "new labels: 52", "interval"."""
    version: str | None
    labels: int | None
    """Labelled samples outside the reserve in its snapshot."""
    reserve_labels: int | None
    label_event_id: int | None
    manifest_sha256: str | None
    evaluation: Evaluation | None
    verdict: str | None
    """What the gate decided and why, in one sentence."""
    log: list[str] = msgspec.field(default_factory=list)
    """Last lines of the subprocess's log; filled for failed rounds."""
    left_out: str | None = None
    """Labelled images that it went on without, as their files are damaged or gone, in one sentence."""
    background: bool = False
    """Whether it tries a deep network while other rounds go on; what it makes is compared with what serves at its
    end."""
    choice: str | None = None
    """Which candidate of the training is the version, by how much, and why these were tried, in one sentence."""
    started_by: StartedBy | None = None
    """The trigger of the policy that started it, `hand`, or `deep`: the rule for rounds in the background. null: it was
    made before this was recorded."""
    notes: str | None = None
    """What was unusual: that it was taken up again after a kill, or went on with smaller batches; null: nothing."""


class RoundEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a round's state."""

    state: RoundState
    entered_at: datetime
    detail: str | None


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """A version that began to serve: a promotion or a rollback."""

    version: str
    previous: str | None
    reason: str
    promoted_at: datetime


class WithdrawnVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version that the service does not promote by itself."""

    version: str
    kind: Literal["rejected", "rolled back"]
    """rejected: a person, or labels that came in, decided against it; rolled back: a person put an older one in its
    place."""
    reason: str
    digest: str | None
    """sha256 of its ONNX file."""
    withdrawn_at: datetime


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version in the registry and its history of promotion."""

    version: str
    round_number: int
    created_at: datetime
    promoted_at: datetime | None
    """When it last began to serve; None if never."""
    current: bool
    problem: str | None
    """Why it cannot be served now (digest mismatch, missing file); None if it can."""
    choice: str | None = None
    """Which candidate of its training won, by how much, and why these were tried, in one sentence."""
    pinned_at: datetime | None = None
    """Since when it is pinned: its files are never pruned; null: it is not."""
    pruned_at: datetime | None = None
    """Since when its weights are gone, by the policy's `retention`: it can serve no more; null: they are there."""
    standing: Literal["champion", "challenger", "rejected", "rolled back"] | None = None
    """champion: it serves; challenger: it passed the gate and waits for the last word; rejected: by the gate, a person
    or labels; rolled back: a person put an older one in its place. null: none of these."""
    standing_reason: str | None = None
    """Why it is a challenger, rejected or rolled back."""
    previous: str | None = None
    """The version that served until this one began to, the last time; null: none did, or this one never served."""


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluated round on the learning curve."""

    round_number: int
    version: str
    task: TaskName
    metric: str
    labels: int
    value: float
    low: float
    high: float
    promoted: bool


class NextRound(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is to the next round that starts by itself."""

    sentence: str
    """For people, such as "27 of 50 new labels until the next round"."""
    new_labels: int | None = None
    """Samples that were newly labelled since the last round; those of the test reserve count only in what annotators
    are told, where nothing may tell them apart."""
    needed: int | None = None
    """New labels that start a round; null: rounds start by time or by hand, or other labels are missing."""


class ModelScore(msgspec.Struct, frozen=True, kw_only=True):
    """How good the serving model is at the first task of its campaign."""

    version: str
    metric: str
    value: float
    low: float
    high: float


class ScorePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A round on the learning curve of the first task."""

    labels: int
    value: float
    low: float
    high: float


class AnnotatorProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How a campaign stands, as one of its annotators sees it. No figure tells the test reserve from the rest."""

    answered: int
    """Samples with an answer to every task, by anybody."""
    answered_by_you: int
    """Samples with a current label of this annotator."""
    today_by_you: int
    """Of these, with one since the start of the day."""
    open_for_you: int
    """Leases of this annotator that run."""
    left_in_pool: int
    """Samples with an open task, on lease or not."""
    next_round: NextRound
    model: ModelScore | None
    """None: nothing serves yet."""
    curve: list[ScorePoint]
    notices: list[str]
    """Trouble that an annotator should know of, such as a mask in SCANEO that cannot be read."""


class PretrainingState(JobState):
    """States of a pretraining; the last four are ends."""

    QUEUED = "queued"
    TRAINING = "training"
    EXPORTING = "exporting"
    EMBEDDING = "embedding"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Pretraining(StoredJob, frozen=True, kw_only=True):
    """One encoder in the making, or made."""

    state: PretrainingState
    config: PretrainConfig
    """As asked for, with the name of the encoder filled in."""
    version: str | None
    """Name of the encoder and of its embeddings, `ssl-<number>`; None until it was exported."""
    summary: PretrainSummary | None
    """What was measured without a label; None until it was exported."""
    error: str | None
    """Why it failed or ended early, or what is left to do, in one sentence."""
    log: list[str] = msgspec.field(default_factory=list)
    """Last lines of the subprocess's log; filled for failed ones."""


class ScoringProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the images of a campaign are described or scored by a version, right now."""

    version: str
    """`features`, an encoder, or a model."""
    done: int
    """Images that are finished, of earlier runs too; those that cannot be used count."""
    total: int
    """Images of the campaign that can be used."""
    seconds_left: float | None
    """Extrapolated; null: too early to say."""
    sentence: str
    """All of it in words."""


class EmbeddingVersion(msgspec.Struct, frozen=True, kw_only=True):
    """Embeddings of a campaign's samples that can be loaded now."""

    version: str
    """As `EmbeddingStore.load` takes it."""
    kind: Literal["features", "encoder", "model"]
    """Simple image features, an encoder (the shipped one, or the newest made without labels), or the serving model."""
    samples: int
    """Samples that have one."""
