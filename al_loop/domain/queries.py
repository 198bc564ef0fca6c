"""Queries and leases: picks and their sources, a query as granted, and the list of samples that an annotator holds."""

from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from al_loop_records.model_card import TaskName

SKIPS_TO_GIVE_UP = 3
"""After this many annotators have skipped a sample, it is not offered any more."""
LeaseState = Literal["open", "labelled", "skipped", "lapsed", "taken"]
"""open: to be answered; labelled (every task), skipped: done by this annotator; lapsed: ran out (or its label was
withdrawn) and can be asked for again; taken: ran out, and another annotator has leased or answered it since."""
QuerySource = Literal["strategy", "control", "reserve", "overlap", "golden", "relabel"]
"""What a sample is asked for: the strategy's choice, a random one to compare it with, the test reserve, a further
answer of another annotator, a check of the annotator, or a label error candidate. Annotators do not see it."""


QueryUnit = Literal["image", "point"]
"""What a query asks about: whole images, or the class of some pixels in each."""
MOST_POINTS_ASKED = 50
"""Points of one image that a query asks about at most."""
POINTS_ASKED = 8
"""Points of each image, where a query does not say how many."""


class AskedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A pixel that is asked about, by its centre in pixel coordinates: the first pixel's is 0.5, 0.5."""

    column: float
    """From the left."""
    row: float
    """From the top."""
    answered: bool = False
    """Of a lease: whether a label of its annotator covers it already."""


class SourceLabel(msgspec.Struct, frozen=True, kw_only=True):
    """A sample's newest answer for a task, and what the sample was first asked for."""

    sample_id: int
    classes: list[str] | None
    """None for geometry tasks."""
    arm: QuerySource | None
    """None: nobody was asked for it."""
    reserve: bool
    block: str


WHY = "next in this campaign"
"""Reason of every sample in answers to annotators: what a sample is asked for must not change how it is answered."""


class Pick(NamedTuple):
    """A sample that shall be leased, and why."""

    sample_id: int
    score: float | None
    """Entropy; None: not scored."""
    reason: str
    """In a few words, for operators."""
    arm: QuerySource = "strategy"


class OpenedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query and the leases that it grants: a sample for each pick, in their order."""

    query_id: int
    campaign_id: int
    annotator: str
    strategy: str
    """The strategy and its options as JSON."""
    query_size: int
    version: str | None
    """Model version whose scores ranked the picks, if any."""
    ranked_labels: int | None
    """Labelled samples that the ranking knew of."""
    ranked_at: datetime | None
    """When its scores were computed."""
    opened_at: datetime
    expires_at: datetime
    picks: list[Pick]
    unit: QueryUnit = "image"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One sample handed to one annotator until it expires or is answered."""

    lease_id: int
    query_id: int
    sample_id: int
    annotator: str
    leased_at: datetime
    expires_at: datetime


class OwnAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A current label of the annotator who holds the lease."""

    task: TaskName
    label_id: int
    classes: list[str]
    """Classes named, or drawn by at least one polygon; empty: looked, none here."""


class TaskAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one task of a sample on lease is answered."""

    answered: bool
    """By this annotator, or by another one whose answer is enough."""
    label_id: int | None
    """Of this annotator's own current label."""
    classes: list[str] | None
    """As this annotator named or drew them; None without an own label."""


class HeldLease(Lease, frozen=True, kw_only=True):
    """A lease as its annotator sees it. Whether the sample belongs to the test reserve is left out on purpose."""

    path: str
    width: int
    height: int
    bounds: list[float] | None
    """left, bottom, right, top in EPSG:4326; None without a CRS."""
    score: float | None
    """Entropy when it was asked for, of `version`; None: not scored, or told to an annotator, who could see by it which
    samples were chosen at random."""
    reason: str
    version: str | None
    """Model version that ranked the pool, "features" for image features, None without either."""
    state: LeaseState
    answers: list[OwnAnswer]
    tasks: dict[str, TaskAnswer] = {}
    """Every task of the campaign in its order: a sample is done when all are answered."""
    suggestion: bool = False
    """Whether a suggestion should be asked for before the sample is shown (`assist.automatic`)."""
    scaneo_url: str | None = None
    """Where it is labelled in SCANEO: the annotator's batch, or the linked campaign; None without a link."""
    scaneo_path: str | None = None
    """How the explorer of that page lists it; in a batch its folder is its rank."""
    unit: QueryUnit = "image"
    """What is asked about: the whole image, or `points` of it."""
    points: list[AskedPoint] = []
    """Which pixels to answer; empty: the whole image."""


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of asking for more time."""

    extended: list[int]
    """Samples whose lease runs on."""
    lost: list[int]
    """Samples asked for by id that another annotator has leased or answered, or that were never this annotator's."""
    expires_at: datetime | None
    """When the extended leases end; None if there is none."""


class QuerySample(msgspec.Struct, frozen=True, kw_only=True):
    """One sample of an answered query."""

    sample_id: int
    path: str
    score: float | None
    """Entropy of the version that ranked the pool, largest over tasks; None before it was scored and in answers to
    annotators, who could see by it which samples were chosen at random."""
    reason: str
    """In answers to annotators the same for all samples; operators are told why each was chosen."""
    scaneo_url: str | None = None
    points: list[AskedPoint] = []
    """Which pixels to answer; empty: the whole image."""


class AlikeSample(msgspec.Struct, frozen=True, kw_only=True):
    """A sample that looks like another one."""

    sample_id: int
    path: str
    similarity: float
    """Cosine of the two embeddings, -1 to 1."""


class RankingSource(msgspec.Struct, frozen=True, kw_only=True):
    """What the order of a query rests on."""

    version: str | None
    """Model version whose scores ranked the pool, "features" for image features, None without either."""
    labels: int
    """Labelled samples outside the test reserve that those scores know of."""
    scored_at: datetime | None
    """When they were computed; None: nothing was scored yet."""
    labels_since: int
    """Samples labelled since then that they do not know of."""
    stale: bool
    """Whether the ranking is older than the labels."""


class ExplainedPick(msgspec.Struct, frozen=True, kw_only=True):
    """Why one sample of a query was chosen."""

    sample_id: int
    path: str
    source: QuerySource
    """The strategy, random control, test reserve, second answers, gold standard or re-annotation."""
    score: float | None
    reason: str
    """The strategy's own words."""
    points: list[AskedPoint] = []
    """The pixels that were asked about; empty: the whole image."""
    end_reason: str | None
    """What became of the lease: "labelled", "skipped", "released", "expired"; None: it runs, or ran out."""


class ExplainedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query with what annotators are not told."""

    query_id: int
    annotator: str
    strategy: str
    """With its options, as JSON."""
    query_size: int
    unit: QueryUnit = "image"
    """What was asked about."""
    version: str | None
    ranked_labels: int | None
    """Labelled samples that the ranking knew of."""
    opened_at: datetime
    samples: list[ExplainedPick]
    """In the order in which they were offered."""


class QueryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an annotator gets: samples leased to them, or none and the reason why."""

    query_id: int | None
    lease_expires_at: datetime | None
    samples: list[QuerySample]
    reason: str | None
    """Why there are no samples, or fewer than wanted because they have to lie apart; else None."""
    strategy: str
    """Name of the strategy that chose, as in `StrategyConfig`."""
    version: str | None
    """Model version whose scores ranked the pool, "features" for image features, None without either."""
    ranking: RankingSource | None = None
    """How fresh those scores are."""
    unit: QueryUnit = "image"
    """What is asked about."""
