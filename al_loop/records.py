"""The records that cross module borders: frozen Structs, one word for one thing (see docs/architecture.md)."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.card import Evaluation, ModelConfig, TaskName, TaskSpec, TrainConfig
from models.manifest import Unlabelled

SampleState = Literal["pool", "leased", "labelled", "reserve"]
AnnotatorName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
SampleId = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""As clients send it: within the range of the store, so that a wrong one is not found instead of out of range."""


class RoundState(StrEnum):
    """States of a round; the last five are ends."""

    QUEUED = "queued"
    SNAPSHOT = "snapshot"
    TRAINING = "training"
    EVALUATING = "evaluating"
    EXPORTING = "exporting"
    GATE = "gate"
    SCORING = "scoring"
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
    {RoundState.PROMOTED, RoundState.REJECTED, RoundState.FAILED, RoundState.CANCELLED, RoundState.INTERRUPTED}
)


class ReserveSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the test reserve is drawn, once, before the first query; never trained on."""

    share: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.2
    minimum: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 30
    """Samples drawn at least, as long as half of all samples are left to the pool."""
    block_by: Literal["auto", "place", "folder", "sample"] = "auto"
    """auto: place for samples with a CRS, else sample (each stands alone)."""
    block_m: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Side of a spatial block in metres; None: four times the median footprint."""
    group_pattern: str | None = None
    """Regular expression on the path; its first group names the block (wins over `block_by`)."""
    seed: int = 0


class RetrainPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a round starts by itself and what it promotes."""

    new_labels: Annotated[int, msgspec.Meta(ge=1)] | None = 50
    """Start after this many samples were newly labelled since the last snapshot; None: never by count."""
    interval_s: Annotated[float, msgspec.Meta(ge=10)] | None = None
    """Start this long after the last round began, if there is at least one new label; None: never by time."""
    cron: str | None = None
    """Not built yet: refused with 501."""
    min_labels: Annotated[int, msgspec.Meta(ge=2)] = 10
    """Labelled samples outside the reserve that a round needs."""
    min_reserve_labels: Annotated[int, msgspec.Meta(ge=2)] = 5
    """Labelled samples inside the reserve that a round needs."""
    debounce_s: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    """Wait until no label has arrived for this long, so that a bulk import starts one round."""
    tolerance: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """A candidate may be this much worse than the serving model and still be promoted."""


class AssistSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How suggestions are shown to annotators."""

    min_area_px: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 8
    """Connected regions of a suggested mask smaller than this are merged into their largest neighbour; 1: none."""
    blind_share: Annotated[float, msgspec.Meta(ge=0.0, le=0.9)] = 0.0
    """Share of images that get no suggestion, the same at every request, so that anchoring can be measured."""


class SpreadSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far apart the samples lie that the strategy chooses for one query; all of it is off by default.

    A query that cannot be filled is short and says why. The random control and the test reserve keep to no rule: they
    would be no fair samples else.
    """

    min_distance_m: Annotated[float, msgspec.Meta(ge=0.0, le=2.1e7)] = 0.0
    """Metres along a great circle between the centres of two samples of a query, and to samples on lease; 0: no rule.
    Samples without a CRS count as far apart."""
    once_per_place: bool = False
    """Offer only one of several acquisitions of one footprint until all places were asked about: centres within half
    of the smaller one's side, sides that differ by a quarter at most."""
    group_pattern: str | None = None
    """Regular expression on the path; its first group, or its whole match, names a scene, date or sensor."""
    max_per_group: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Samples of one group in a query at most, needs `group_pattern`; None: no quota. Other paths are of no group."""


class QuerySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What queries are made of beside the strategy's choice."""

    control_share: Annotated[float, msgspec.Meta(ge=0.0, le=0.5)] = 0.05
    """Share of each query that is chosen at random, so that `savings` can tell what the strategy is worth."""
    overlap_share: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.0
    """Share of samples that several annotators are asked about, independently, to measure agreement."""
    overlap_annotators: Annotated[int, msgspec.Meta(ge=2, le=10)] = 2
    """How many annotators each of those is offered to."""
    golden: tuple[str, ...] = ()
    """Paths of samples with a known answer: offered to every annotator, never trained on."""
    spread: SpreadSettings = SpreadSettings()


class CampaignSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may set per campaign."""

    unlabelled: Unlabelled = "background"
    """Pixels inside no polygon of a labelled sample: background (class 0) or ignored."""
    lease_s: Annotated[float, msgspec.Meta(ge=1, le=7 * 86400)] = 3600.0
    reserve: ReserveSettings = ReserveSettings()
    query: QuerySettings = QuerySettings()
    assist: AssistSettings = AssistSettings()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    train_from: Literal["auto", "scratch"] = "auto"
    """auto: training starts from the newest encoder that a pretraining made, if it is `model.encoder` and `model` names
    no weights; scratch: always as `model` says."""


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of rasters under one root, the questions asked about them, and what serves now."""

    campaign_id: int
    name: str
    tasks: list[TaskSpec]
    root: str
    """Absolute, resolved directory."""
    bands: list[int] | None
    """1-based bands that models read; None: all."""
    source_bands: int | None
    """Band count of the rasters, fixed by the first that was registered."""
    settings: CampaignSettings
    policy: RetrainPolicy
    created_at: datetime
    current_version: str | None

    def task(self, name: str) -> TaskSpec | None:
        """The spec of a task, or None if the campaign has no such task."""
        return next((spec for spec in self.tasks if spec.task == name), None)


class SampleHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What registration learns from a file's header, no pixel read."""

    path: str
    """Relative to the campaign's root, `/`-separated."""
    width: int
    height: int
    band_count: int
    dtype: str
    crs: str | None
    """`EPSG:n` or WKT."""
    transform: list[float] | None
    """a, b, c, d, e, f of x = a*col + b*row + c, y = d*col + e*row + f."""
    nodata: float | None
    bounds: list[float] | None
    """left, bottom, right, top in EPSG:4326 (left > right across the date line); None without a CRS."""
    file_bytes: int
    modified_ns: int


class Sample(SampleHeader, frozen=True, kw_only=True):
    """A registered sample."""

    sample_id: int
    campaign_id: int
    block: str
    reserve: bool
    registered_at: datetime
    golden: bool = False
    """Its answer is known; never trained on."""


class SampleView(msgspec.Struct, frozen=True, kw_only=True):
    """A sample as lists show it."""

    sample_id: int
    path: str
    width: int
    height: int
    band_count: int
    crs: str | None
    bounds: list[float] | None
    state: SampleState
    score: float | None
    """Entropy of the current model, largest over tasks; None before it was scored."""


class SampleCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of a campaign by state; the first four and `golden` add up to `total`."""

    pool: int
    leased: int
    labelled: int
    reserve: int
    """All of the test reserve, labelled or not."""
    reserve_labelled: int
    total: int
    skipped: int = 0
    """Without a label, and nobody is offered them any more because too many could not tell; part of the others."""
    golden: int = 0
    """With a known answer, labelled or not; never trained on and no part of the others."""


class SkippedPath(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was left out, and why, in one sentence."""

    path: str
    reason: str


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of registering files as samples."""

    registered: int
    sample_ids: list[int]
    """In the order of the accepted files."""
    skipped: list[SkippedPath]


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


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the loop: snapshot, training, evaluation, gate, scoring."""

    number: int
    state: RoundState
    reason: str
    """Why it was started: "ops", "new labels: 52", "interval"."""
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    version: str | None
    labels: int | None
    """Labelled samples outside the reserve in its snapshot."""
    reserve_labels: int | None
    label_event_id: int | None
    manifest_sha256: str | None
    evaluation: Evaluation | None
    verdict: str | None
    """What the gate decided and why, in one sentence."""
    error: str | None
    """Why it failed or ended early, in one sentence."""
    log: list[str] = []
    """Last lines of the subprocess's log; filled for failed rounds."""


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


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that was shown to somebody."""

    prediction_id: int
    sample_id: int | None
    """None when the pixels belong to no registered sample."""
    pixel_hash: str
    task: TaskName
    version: str
    answer: dict[str, Any]
    shown_at: datetime
    blind: bool = False
    """Computed and kept, but not shown."""


class ShownPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """One answer on its way into the store, where its sample is recognised."""

    campaign_id: int
    pixel_hash: str
    task: TaskName
    version: str
    answer: dict[str, Any]
    shown_at: datetime
    mask: bytes | None = None
    """Segmentation: class codes as `al_loop.shown_masks` packs them; None without a mask, or too large to keep."""
    blind: bool = False
    """Computed and kept, but not shown."""


class RememberedPrediction(Prediction, frozen=True, kw_only=True):
    """A prediction of one sample with its whole mask."""

    mask: NDArray[np.uint8] | None = None
    """Segmentation: class codes (H, W) as they were shown, in the order of the campaign's classes; else None."""
