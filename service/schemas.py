"""Request bodies."""

from typing import Annotated

import msgspec

from al_loop.domain.campaigns import PathText, ShortText, WindowSettings
from al_loop.domain.labels import AnnotatorName
from al_loop.domain.queries import MOST_POINTS_ASKED, POINTS_ASKED, QueryUnit
from al_loop.domain.samples import SampleId
from al_loop.domain.webhooks import EventKind
from al_loop.querying.strategies import StrategyConfig

QuerySize = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Address = Annotated[
    str,
    msgspec.Meta(
        pattern="^https?://", max_length=2_000, extra={"words": "an address that begins with http:// or https://"}
    ),
]


class SamplesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rasters to register: named ones, or all below the root."""

    paths: Annotated[list[PathText], msgspec.Meta(max_length=100_000)] | None = None
    """Relative to the campaign's root, `/`-separated."""
    scan: bool = False
    """Register every raster below the root; label masks and hidden files are left out."""
    windows: WindowSettings | None = None
    """How rasters that are larger than a window are cut into samples; null: as the campaign's `settings.windows` says.
    Scenes that are registered stay as they are cut."""


class QueryRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asks for how many samples, chosen how."""

    annotator: AnnotatorName
    query_size: QuerySize
    """1 to 1000."""
    strategy: StrategyConfig | None = None
    """Null: `auto`."""
    unit: QueryUnit | None = None
    """What is asked about: whole images, or the class of some pixels of each. Null: the campaign's
    `settings.query.unit`."""
    points: Annotated[int, msgspec.Meta(ge=1, le=MOST_POINTS_ASKED)] = POINTS_ASKED
    """Pixels of each image, for `unit` `point`; 1 to 50."""
    shared: bool = False
    """Whether samples leased to other annotators may be offered too."""


class RelabelRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The annotator who re-annotates, and how many samples."""

    annotator: AnnotatorName
    query_size: QuerySize
    """1 to 1000."""


class ReleaseRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leases to give back unanswered."""

    annotator: AnnotatorName
    sample_ids: Annotated[list[SampleId], msgspec.Meta(max_length=10_000)] | None = None
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
    """A comment for later readers, such as "under cloud"."""


class UnskipRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Skips that an annotator takes back."""

    annotator: AnnotatorName
    sample_ids: Annotated[list[SampleId], msgspec.Meta(min_length=1, max_length=10_000)]


class CommentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an annotator says about a sample."""

    annotator: AnnotatorName
    text: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    """May be empty where `flag` is true."""
    flag: bool = False
    """Ask that somebody looks at the sample."""


class ResolveRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who closes a comment."""

    annotator: AnnotatorName


class RoundRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a round is asked for."""

    queue: bool = False
    """While a round runs, queue one more instead of answering 409; several requests make one."""
    reason: Annotated[str, msgspec.Meta(max_length=200)] = "ops"


class ReproductionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a round is trained again."""

    tolerance: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.02
    """How much each metric may differ where bits cannot be compared: in another environment, or on a GPU."""


class PromoteRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a version is promoted by hand."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] = "ops"
    force: bool = False
    """Promote it although it was rejected, by the gate, a person or labels."""


class DecisionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a version is rejected or rolled back."""

    reason: Annotated[str, msgspec.Meta(max_length=500)] = "ops"


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which SCANEO campaign to link, and how."""

    url: Address
    """Root of SCANEO as this service reaches it, such as `http://localhost:8000`."""
    campaign: ShortText
    """Name of the campaign in SCANEO."""
    tasks: Annotated[list[ShortText], msgspec.Meta(max_length=20)] | None = None
    """`classification`, `segmentation`; null: those of our campaign, or those that are annotated there so far."""
    path_map: Annotated[list[PathText], msgspec.Meta(max_length=100)] = []
    """`A=B`: folder A in SCANEO's file system is folder B in ours."""
    annotator: AnnotatorName = "scaneo"
    """Whom labels are recorded under when no lease or batch tells who drew them."""
    database: PathText | None = None
    """SCANEO's SQLite file on this machine, if it may be read: fewer requests."""
    service_url: Address | None = None
    """Address at which SCANEO reaches this service; null: the setting `public_url`, or the address asked at."""
    poll_s: Annotated[float, msgspec.Meta(ge=0.2, le=3600)] = 2.0
    """Seconds between looks for changes."""
    settle_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 4.0
    """Seconds without a change after which annotations count."""


class BatchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For whom to make a batch of how many samples."""

    annotator: AnnotatorName
    query_size: QuerySize | None = 20
    """1 to 1000 new samples; null: those that the annotator has on lease already."""
    strategy: StrategyConfig | None = None
    """Null: `auto`."""
    unit: QueryUnit = "image"
    """What new samples are asked about, whatever the campaign's settings say. Points are marked by boxes of the label
    `asked point`."""
    points: Annotated[int, msgspec.Meta(ge=1, le=MOST_POINTS_ASKED)] = POINTS_ASKED
    """Pixels of each image, for `unit` `point`; 1 to 50."""


class BoxSuggestionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images in SCANEO whose objects are to be suggested."""

    paths: Annotated[list[Annotated[str, msgspec.Meta(max_length=4_096)]], msgspec.Meta(min_length=1, max_length=500)]
    """Of samples; 1 to 500."""


class SuggestRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asks for a suggestion."""

    annotator: AnnotatorName


class AcceptRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes which suggestion over."""

    annotator: AnnotatorName
    task: ShortText | None = None
    """Null: every task that something was suggested for."""
    prediction_ids: Annotated[list[SampleId], msgspec.Meta(max_length=100)] | None = None
    """The suggestions that the annotator looks at: refused if there is a newer one. Null: the newest, whichever."""


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where events shall be sent, and which."""

    url: Address
    """Where to send events; of a private network only if `AL_LOOP_WEBHOOK_NETWORKS` names it."""
    events: Annotated[list[EventKind], msgspec.Meta(min_length=1, max_length=50)] | None = None
    """Kinds of events; null: all."""
    campaigns: Annotated[list[ShortText], msgspec.Meta(min_length=1, max_length=1_000)] | None = None
    """Names of the campaigns whose events are sent; null: all, also those that are made later."""


class RotateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long older secrets sign beside a new one."""

    overlap_hours: Annotated[float, msgspec.Meta(ge=0, le=24 * 30)] = 24.0
    """Hours in which older secrets sign as well; 0: they end at once."""
