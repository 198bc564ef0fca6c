"""What the service answers where the wire differs from the loop's records; see `service.views` for how it is gathered.

The client decodes these, so this module loads neither numpy, DuckDB nor ONNX Runtime.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from al_loop.domain.audit import AuditEntry, Role
from al_loop.domain.campaigns import BandDecision, CampaignSettings
from al_loop.domain.gate import Challenger, GateReport
from al_loop.domain.imports import ImportCounts
from al_loop.domain.labels import Comment, Label
from al_loop.domain.queries import AlikeSample, HeldLease
from al_loop.domain.reproductions import Reproduction
from al_loop.domain.retraining import RetrainPolicy
from al_loop.domain.rounds import (
    CurvePoint,
    EmbeddingVersion,
    ModelVersion,
    NextRound,
    Pretraining,
    Round,
    RoundEvent,
    ScoringProgress,
)
from al_loop.domain.samples import DuplicateGroup, SampleCounts, SampleView
from al_loop.domain.scene_predictions import ScenePrediction
from al_loop.domain.webhooks import Delivery, EventKind
from al_loop.scoring.head_report import HeadReport
from al_loop_records.model_card import TaskName, TaskSpec
from al_loop_records.runs import ProgressLine


class CurrentModel(msgspec.Struct, frozen=True, kw_only=True):
    """The version that serves a campaign."""

    version: str
    round_number: int
    promoted_at: datetime | None
    loaded: bool
    """Whether it is in memory and answers predictions."""
    problem: str | None
    """Why not, if not."""
    previous: str | None = None
    """The version that served until this one began to; null: it is the first."""


class LastRound(msgspec.Struct, frozen=True, kw_only=True):
    """The newest round, in short."""

    number: int
    state: str
    verdict: str | None
    error: str | None
    choice: str | None = None
    """Which candidate of the training won, by how much, and why these were tried, in one sentence."""


class CampaignView(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign and how it stands."""

    name: str
    tasks: list[TaskSpec]
    root: str
    bands: list[int] | None
    source_bands: int | None
    band_decision: BandDecision | None
    """How it was told which bands of the files are data; null: nothing is registered, or it was before this was
    recorded."""
    settings: CampaignSettings
    policy: RetrainPolicy
    created_at: datetime
    samples: SampleCounts
    current_model: CurrentModel | None
    last_round: LastRound | None
    notices: list[str]
    """What an operator should know: versions that cannot be served, with the reason; samples that nobody can tell."""
    next_round: NextRound
    """How far it is to the next round that starts by itself."""
    archived: bool
    """Whether it is put away: no rounds, no scores, not offered to annotators; everything stays readable."""
    head: HeadReport | None = None
    """The light heads, one a task, refitted after the newest labels, and whether they rank; None: none yet."""
    scoring: ScoringProgress | None = None
    """How far the images are described or scored, while that is going on; null: it is not."""
    challenger: Challenger | None = None
    """The version that passed the gate and waits for a person or for labels; null: none does."""
    reserve_drawn: bool | None = None
    """Whether the test reserve is drawn, which the first query or the first labels do; until then `samples.reserve`
    is 0. Null: annotators are not told."""


class SamplePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of samples; pass `next_cursor` as `cursor` for the next one."""

    samples: list[SampleView]
    next_cursor: str | None


class LabelPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of labels; pass `next_cursor` as `cursor` for the next one."""

    labels: list[Label]
    next_cursor: str | None


class RecordedLabels(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ids of the stored labels, in the order they were sent; of an import also those that were on record before."""

    label_ids: list[int]
    imported: ImportCounts | None = None
    """Of labels whose `source` is an import; absent for people's, and for a request that is repeated by its key."""
    notices: list[str] = []
    """What is stored otherwise than it was sent, such as areas drawn by `settings.all_touched`; absent: nothing is."""


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """How many leases ended."""

    released: int


class SkippedSamples(msgspec.Struct, frozen=True, kw_only=True):
    """How many samples this annotator skipped for the first time."""

    skipped: int


class RestoredSamples(msgspec.Struct, frozen=True, kw_only=True):
    """How many samples the annotator has on lease again."""

    restored: int


class CommentPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of comments; pass `next_cursor` as `cursor` for the next one."""

    comments: list[Comment]
    next_cursor: str | None


class AlikeList(msgspec.Struct, frozen=True, kw_only=True):
    """Samples that look like one, the most alike first."""

    samples: list[AlikeSample]


class LeaseList(msgspec.Struct, frozen=True, kw_only=True):
    """An annotator's leases in the order of their queries."""

    now: datetime
    """The service's time, to count down by: the clock of a browser may be wrong."""
    leases: list[HeldLease]


class RoundView(Round, frozen=True, kw_only=True):
    """A round, and what it does right now."""

    progress: ProgressLine | None = None
    """Newest progress of a running round: phase, epoch of epochs, loss, metric, seconds left."""
    gate: GateReport | None = None
    """What the gate decided and every check with its figures; null: it did not come so far, or this was not kept."""
    history: tuple[RoundEvent, ...] = ()
    """Every state that the round entered and when, oldest first."""


class RoundList(msgspec.Struct, frozen=True, kw_only=True):
    """All rounds of a campaign, oldest first."""

    rounds: list[Round]


class RoundLog(msgspec.Struct, frozen=True, kw_only=True):
    """The end of what a training program wrote."""

    lines: list[str]


class PretrainingView(Pretraining, frozen=True, kw_only=True):
    """A pretraining, and what it does right now."""

    progress: ProgressLine | None = None
    """Newest progress of a running one: phase, steps done of those expected, loss, epoch, seconds left."""


class ScenePredictionView(ScenePrediction, frozen=True, kw_only=True):
    """A prediction of a scene, and what it does right now."""

    progress: ProgressLine | None = None
    """Newest progress of a running one: tiles done of those there are, seconds left."""


class ReproductionView(Reproduction, frozen=True, kw_only=True):
    """A round that is trained again, and what it does right now."""

    progress: ProgressLine | None = None
    """Newest progress of a running one."""


class PretrainingList(msgspec.Struct, frozen=True, kw_only=True):
    """All pretrainings of a campaign, oldest first, and which embeddings of its samples there are."""

    pretrainings: list[Pretraining]
    embeddings: list[EmbeddingVersion]


class ClassView(msgspec.Struct, frozen=True, kw_only=True):
    """A class as annotators see it."""

    name: str
    description: str
    """What belongs to it and what does not; may be empty."""
    colour: str
    """`#rrggbb`, as overlays draw it."""
    retired: bool
    """Whether it can no longer be given; labels of it stay."""
    examples: list[int]
    """Ids of samples that show it well."""
    key: str | None
    """Key on the page: `1` to `9` and `0` for the first ten in use; null for others."""
    formerly: list[str] = []
    """Names that it had before; imports may still use them."""


class TaskClasses(msgspec.Struct, frozen=True, kw_only=True):
    """The classes of a task in their order, which is that of a model's answers."""

    task: TaskName
    multi_label: bool
    """Whether a sample may be of several."""
    classes: list[ClassView]


class ClassList(msgspec.Struct, frozen=True, kw_only=True):
    """What annotators choose from, and how they should."""

    tasks: list[TaskClasses]
    guidelines: str
    """Markdown; may be empty."""


class Guidelines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to label, for the annotators of a campaign."""

    text: Annotated[str, msgspec.Meta(max_length=20_000)]
    """Markdown."""


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """All versions of a campaign, oldest first."""

    models: list[ModelVersion]


class LearningCurve(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics on the test reserve against labels spent, one point a round and task."""

    points: list[CurvePoint]


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """What a model suggests for one task of a sample."""

    prediction_id: int
    task: TaskName
    version: str
    shown_at: datetime
    probabilities: dict[str, float] | None = None
    """Classification: of each class of the campaign."""
    pixels: dict[str, int] | None = None
    """Segmentation: pixels of each class that the mask holds; the rest is background. `thumbnail.png` draws it."""
    shares: dict[str, float] | None = None
    """Segmentation: share of the image's valid area that each class of the mask covers, 0 to 1."""
    regions: dict[str, Any] | None = None
    """Segmentation, where asked for: the mask as a GeoJSON FeatureCollection in pixel coordinates, one Polygon for each
    connected region, with `label` and `area_px`."""
    boxes: dict[str, Any] | None = None
    """Detection: the boxes as a GeoJSON FeatureCollection in pixel coordinates, the likeliest first, with `label` and
    `score` (0 to 1). Posted as the `features` of a label with `crs` `pixel`, without those that are wrong, they are the
    annotator's answer."""


class BoxPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """The objects that a model finds in an image; the three lists are of one length, the likeliest object first."""

    boxes: list[tuple[float, float, float, float]]
    """Left, top, right and bottom of each in pixels of the image, from its upper left corner."""
    labels: list[str]
    """Class of each."""
    scores: list[float]
    """How likely each is an object of its class, 0 to 1."""
    features: dict[str, Any] | None = None
    """The same as a GeoJSON FeatureCollection in EPSG:4326 (longitude, latitude), with `class` and `score`; left out
    where the image's place on Earth is unknown."""


class NoBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is nothing to make a batch of."""

    reason: str


class WhoAmI(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the service takes the caller for."""

    name: str | None
    """The person whose token it is; null: a token that many share, or none."""
    role: Role | None
    """What the token may do; null: no tokens are set, and everybody may do everything."""
    authentication: Literal["none", "token"]
    """Whether the service asks for tokens."""


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit trail, newest first."""

    entries: list[AuditEntry]
    """What was done."""
    next_cursor: str | None


class DuplicateList(msgspec.Struct, frozen=True, kw_only=True):
    """What `GET duplicates` answers."""

    groups: list[DuplicateGroup]
    """Samples that show one image, two or more in each; those registered first come first."""


class RemovedDuplicates(msgspec.Struct, frozen=True, kw_only=True):
    """What `DELETE duplicates` answers."""

    removed: list[str]
    """Paths of the samples that were taken out."""
    left: list[DuplicateGroup]
    """Groups that people have to look at."""


class WebhookView(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook and how its deliveries go."""

    webhook_id: int
    """Id of the webhook."""
    url: str
    """Where events are sent."""
    events: list[EventKind]
    """Kinds of events that are sent."""
    campaigns: list[str] | None
    """Names of the campaigns whose events are sent; null: all."""
    created_at: datetime
    waiting: int
    """Deliveries that are tried until they succeed."""
    dead: int
    """Deliveries that were given up; they can be redelivered."""


class NewWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was just made."""

    webhook: WebhookView
    """The webhook."""
    secret: str
    """Signs what is sent there. It is shown this once."""


class NewSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A further secret of a webhook."""

    secret: str
    """Signs what is sent there from now on. It is shown this once."""
    older_until: datetime
    """Until when older secrets sign as well."""


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the deliveries of a webhook, newest first."""

    deliveries: list[Delivery]
    """Deliveries, newest first."""
    next_cursor: str | None


class Redelivered(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries are tried again."""

    redelivered: int
    """How many there were."""
