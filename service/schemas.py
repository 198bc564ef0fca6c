"""Request bodies, and answers where the wire differs from the loop's records."""

from datetime import datetime
from typing import Annotated

import msgspec

from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.domain.labels import AnnotatorName, Label
from al_loop.domain.predictions import RememberedPrediction
from al_loop.domain.queries import SKIPS_TO_GIVE_UP, HeldLease
from al_loop.domain.rounds import CurvePoint, ModelVersion, Pretraining, PretrainingState, Round, RoundEvent, RoundState
from al_loop.domain.samples import SampleCounts, SampleId, SampleView
from al_loop.loop import Loop
from al_loop.querying.strategies import StrategyConfig
from al_loop.scoring.embedding_versions import EmbeddingVersion
from al_loop.scoring.head_report import HeadReport
from models.card import TaskName, TaskSpec
from models.progress import ProgressLine

NAMED_PATHS = 5
"""Most samples that a notice names."""


class SamplesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rasters to register: named ones, or all below the root."""

    paths: Annotated[list[str], msgspec.Meta(max_length=100_000)] | None = None
    """Relative to the campaign's root, `/`-separated."""
    scan: bool = False
    """Register every raster below the root; label masks and hidden files are left out."""


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asks for how many samples, chosen how."""

    annotator: AnnotatorName
    query_size: int
    """1 to 1000."""
    strategy: StrategyConfig | None = None
    """Null: `auto`."""
    shared: bool = False
    """Whether samples leased to somebody else may be offered too."""


class RelabelRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes a second look at how many samples."""

    annotator: AnnotatorName
    query_size: int
    """1 to 1000."""


class ReleaseRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leases to give back unanswered."""

    annotator: AnnotatorName
    sample_ids: list[SampleId] | None = None
    """Null: all of the annotator's leases."""


class ExtendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leases that shall run on."""

    annotator: AnnotatorName
    sample_ids: Annotated[list[SampleId], msgspec.Meta(max_length=10_000)] | None = None
    """Null: all that are active."""


class SkipRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Samples that an annotator cannot tell."""

    annotator: AnnotatorName
    sample_ids: Annotated[list[SampleId], msgspec.Meta(min_length=1, max_length=10_000)]
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""
    """For whoever looks at it later: "under cloud"."""


class RoundRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a round is asked for."""

    queue: bool = False
    """While a round runs, queue one more instead of answering 409; several requests make one."""
    reason: Annotated[str, msgspec.Meta(max_length=200)] = "ops"


class PromoteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a version is promoted by hand."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] = "ops"


class CurrentModel(msgspec.Struct, frozen=True, kw_only=True):
    """The version that serves a campaign."""

    version: str
    round_number: int
    promoted_at: datetime | None
    loaded: bool
    """Whether it is in memory and answers predictions."""
    problem: str | None
    """Why not, if not."""


class LastRound(msgspec.Struct, frozen=True, kw_only=True):
    """The newest round, in short."""

    number: int
    state: str
    verdict: str | None
    error: str | None


class CampaignView(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign and how it stands."""

    name: str
    tasks: list[TaskSpec]
    root: str
    bands: list[int] | None
    source_bands: int | None
    settings: CampaignSettings
    policy: RetrainPolicy
    created_at: datetime
    samples: SampleCounts
    current_model: CurrentModel | None
    last_round: LastRound | None
    notices: list[str]
    """What an operator should know: versions that cannot be served, with the reason; samples that nobody can tell."""
    head: HeadReport | None = None
    """The light heads, one a task, refitted after the newest labels, and whether they rank; None: none yet."""

    @classmethod
    def of(cls, loop: Loop, campaign: Campaign) -> "CampaignView":
        """Gather the view of one campaign."""
        versions = loop.store.versions.list(campaign.campaign_id)
        last = loop.store.rounds.last(campaign.campaign_id)
        return cls(
            name=campaign.name,
            tasks=campaign.tasks,
            root=campaign.root,
            bands=campaign.bands,
            source_bands=campaign.source_bands,
            settings=campaign.settings,
            policy=campaign.policy,
            created_at=campaign.created_at,
            samples=loop.store.campaigns.counts(campaign.campaign_id, loop.clock()),
            current_model=_current(versions, loop.server.serving_version(campaign)),
            last_round=None
            if last is None
            else LastRound(number=last.number, state=last.state, verdict=last.verdict, error=last.error),
            notices=[f"{entry.version}: {entry.problem}" for entry in versions if entry.problem is not None]
            + _given_up(loop.store.leases.given_up(campaign.campaign_id)),
            head=loop.refitter.report(campaign),
        )


class SamplePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of samples; pass `next_cursor` as `cursor` for the next one."""

    samples: list[SampleView]
    next_cursor: str | None


class LabelPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of labels; pass `next_cursor` as `cursor` for the next one."""

    labels: list[Label]
    next_cursor: str | None


class RecordedLabels(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of the stored labels, in the order they were sent."""

    label_ids: list[int]


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """How many leases ended."""

    released: int


class SkippedSamples(msgspec.Struct, frozen=True, kw_only=True):
    """How many samples this annotator skipped for the first time."""

    skipped: int


class LeaseList(msgspec.Struct, frozen=True, kw_only=True):
    """An annotator's leases in the order of their queries."""

    now: datetime
    """The service's time, to count down by: the clock of a browser may be wrong."""
    leases: list[HeldLease]


class RoundView(Round, frozen=True, kw_only=True):
    """A round, and what it does right now."""

    progress: ProgressLine | None = None
    """Newest progress of a running round: phase, epoch of epochs, loss, metric, seconds left."""
    history: tuple[RoundEvent, ...] = ()
    """Every state that the round entered and when, oldest first."""

    @classmethod
    def of(cls, loop: Loop, campaign: Campaign, entry: Round) -> "RoundView":
        """Add the history, the progress of a running round, and the end of the log of a failed one."""
        fields = {name: getattr(entry, name) for name in Round.__struct_fields__}
        if entry.state is RoundState.FAILED:
            fields["log"] = loop.rounds.log(campaign, entry.number)
        return cls(
            **fields,
            progress=loop.rounds.progress(campaign.campaign_id, entry.number),
            history=tuple(loop.store.rounds.events(campaign.campaign_id, entry.number)),
        )


class RoundList(msgspec.Struct, frozen=True, kw_only=True):
    """All rounds of a campaign, oldest first."""

    rounds: list[Round]


class PretrainingView(Pretraining, frozen=True, kw_only=True):
    """A pretraining, and what it does right now."""

    progress: ProgressLine | None = None
    """Newest progress of a running one: phase, steps done of those expected, loss, epoch, seconds left."""

    @classmethod
    def of(cls, loop: Loop, campaign: Campaign, entry: Pretraining) -> "PretrainingView":
        """Add the progress of a running pretraining, or the end of the log of a failed one."""
        fields = {name: getattr(entry, name) for name in Pretraining.__struct_fields__}
        if entry.state is PretrainingState.FAILED:
            fields["log"] = loop.pretrainings.log(campaign, entry.number)
        return cls(**fields, progress=loop.pretrainings.progress(campaign.campaign_id, entry.number))


class PretrainingList(msgspec.Struct, frozen=True, kw_only=True):
    """All pretrainings of a campaign, oldest first, and which embeddings of its samples there are."""

    pretrainings: list[Pretraining]
    embeddings: list[EmbeddingVersion]


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """All versions of a campaign, oldest first."""

    models: list[ModelVersion]


class LearningCurve(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics on the test reserve against labels spent, one point a round and task."""

    points: list[CurvePoint]


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which SCANEO campaign to link, and how."""

    url: Annotated[str, msgspec.Meta(pattern="^https?://")]
    """Root of SCANEO as this service reaches it, such as `http://localhost:8000`."""
    campaign: str
    """Name of the campaign in SCANEO."""
    tasks: list[str] | None = None
    """`classification`, `segmentation`; null: those of our campaign, or those that are annotated there so far."""
    path_map: list[str] = []
    """`A=B`: folder A in SCANEO's file system is folder B in ours."""
    annotator: AnnotatorName = "scaneo"
    """Whom labels are recorded under when no lease or batch tells who drew them."""
    database: str | None = None
    """SCANEO's SQLite file on this machine, if it may be read: fewer requests."""
    service_url: Annotated[str, msgspec.Meta(pattern="^https?://")] | None = None
    """Address at which SCANEO reaches this service; null: the setting `public_url`, or the address asked at."""
    poll_s: Annotated[float, msgspec.Meta(ge=0.2, le=3600)] = 2.0
    """Seconds between looks for changes."""
    settle_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 4.0
    """Seconds without a change after which annotations count."""


class BatchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom to make a batch of how many samples."""

    annotator: AnnotatorName
    query_size: int | None = 20
    """1 to 1000 new samples; null: those that the annotator has on lease already."""
    strategy: StrategyConfig | None = None
    """Null: `auto`."""


class SuggestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asks for a suggestion."""

    annotator: AnnotatorName


class AcceptRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes which suggestion over."""

    annotator: AnnotatorName
    task: str | None = None
    """Null: every task that something was suggested for."""
    prediction_ids: list[int] | None = None
    """The suggestions that the annotator looks at: refused if there is a newer one. Null: the newest, whichever."""


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

    @classmethod
    def of(cls, campaign: Campaign, entry: RememberedPrediction) -> "Suggestion":
        """Name the classes of a remembered prediction."""
        spec = campaign.task(entry.task)
        classes = [] if spec is None else spec.classes
        probabilities, pixels = entry.answer.get("probabilities"), entry.answer.get("pixels")
        return cls(
            prediction_id=entry.prediction_id,
            task=entry.task,
            version=entry.version,
            shown_at=entry.shown_at,
            probabilities=None if probabilities is None else dict(zip(classes, probabilities, strict=False)),
            pixels=None
            if pixels is None
            else {classes[int(code) - 1]: count for code, count in pixels.items() if code != "0"},
        )


class NoBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is nothing to make a batch of."""

    reason: str


def _current(versions: list[ModelVersion], loaded: str | None) -> CurrentModel | None:
    entry = next((version for version in versions if version.current), None)
    if entry is None:
        return None
    return CurrentModel(
        version=entry.version,
        round_number=entry.round_number,
        promoted_at=entry.promoted_at,
        loaded=entry.version == loaded,
        problem=entry.problem,
    )


def _given_up(paths: list[str]) -> list[str]:
    """One notice that names the first few, or none."""
    if not paths:
        return []
    named = ", ".join(paths[:NAMED_PATHS]) + (f" and {len(paths) - NAMED_PATHS} more" if paths[NAMED_PATHS:] else "")
    return [f"skipped by {SKIPS_TO_GIVE_UP} annotators and offered no more; label or look at them yourself: {named}"]
