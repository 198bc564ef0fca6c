"""Reports on quality: agreement of annotators, outcomes of suggestions, label error candidates, savings."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from al_loop_records.model_card import TaskName


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and its 95 % bootstrap interval.

    Records whose shape on the wire or on disk is another stay flat: `models.card.TaskEvaluation`, `PairedDifference`,
    `CurvePoint` and `Anchoring` name the value otherwise or hold more fields (a renamed field would be wrong in the
    OpenAPI document), and an `Interval` of `curve.json` has no bounds for a single run.
    """

    value: float
    low: float
    high: float


class ClassAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two annotators about one class."""

    name: str
    agreement: float | None
    """Classification: positive agreement, 2 both / (first + second). Masks: mean IoU over the samples where either
    drew it. None where nobody named it."""
    kappa: Estimate | None
    """Cohen's kappa of "is it this class"; None for masks, and where only one answer occurs."""


class PairAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Two annotators about one task."""

    first: str
    second: str
    samples: int
    """That both answered."""
    kappa: Estimate | None
    """Cohen's kappa over all classes and "none of them"; None for masks and several labels a sample."""
    iou: Estimate | None
    """Masks: mean over samples of the mean IoU of the classes that either drew; None for classes."""
    classes: list[ClassAgreement]


class GoldenScore(msgspec.Struct, frozen=True, kw_only=True):
    """One annotator against the known answers."""

    annotator: str
    samples: int
    score: Estimate
    """Classification: share of samples answered alike. Masks: mean IoU, as for pairs."""


class TaskAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """What annotators agree about in one task."""

    task: TaskName
    samples: int
    """With answers of two annotators or more."""
    pairs: list[PairAgreement]
    golden: list[GoldenScore]


class AgreementReport(msgspec.Struct, frozen=True, kw_only=True):
    """How far annotators agree, by task."""

    tasks: list[TaskAgreement]


Outcome = Literal["accepted", "edited", "rejected"]


class Assist(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a suggestion when a person answered."""

    prediction_id: int
    label_id: int
    sample_id: int
    task: TaskName
    version: str
    """Model version that suggested."""
    annotator: str
    blind: bool
    """The suggestion was computed, but not shown."""
    outcome: Outcome
    agreement: float
    """IoU of what was suggested and what was kept, 0 to 1."""
    labelled_at: datetime
    boxes_kept: int | None = None
    """Detection: boxes of the suggestion that the person left as they were; null: another task."""
    boxes_moved: int | None = None
    boxes_removed: int | None = None
    boxes_added: int | None = None
    """Boxes that the person drew beside them."""


class UnansweredCount(msgspec.Struct, frozen=True, kw_only=True):
    """Images that one model version suggested something for, the newest suggestion of each image."""

    version: str
    task: TaskName
    suggested: int
    unanswered: int
    """Of these, images that nobody has labelled for the task since."""


class Anchoring(msgspec.Struct, frozen=True, kw_only=True):
    """Mean agreement with suggestions that were shown minus that with suggestions that were kept back."""

    difference: float
    low: float
    """95 % bootstrap interval; above 0: people agree more with what they see than they would by themselves."""
    high: float


class BoxCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of single boxes of suggestions that were shown."""

    accepted: int
    """Left as they were."""
    moved: int
    """Moved or made larger or smaller, so that at least .3 of both is shared."""
    removed: int
    """Deleted, or changed beyond that."""
    added: int
    """Drawn by the annotator where nothing was suggested."""


class AssistSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What one annotator made of one version's suggestions for one task."""

    version: str
    annotator: str
    task: TaskName
    accepted: int
    edited: int
    rejected: int
    blind: int
    """Labels given without seeing the suggestion; not in the three counts above."""
    agreement_shown: float | None
    """Mean IoU of suggested and kept; None without any."""
    agreement_blind: float | None
    anchoring: Anchoring | None
    """None until there are 5 labels of both kinds."""
    boxes: BoxCounts | None = None
    """Detection: what became of the boxes; null for other tasks."""


class AssistReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a campaign's suggestions."""

    answered: list[AssistSummary]
    unanswered: list[UnansweredCount]
    """Suggestions that were shown, and how many of them nobody has answered."""


class PixelWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an image, in pixels from its upper left corner."""

    column: int
    row: int
    width: int
    height: int


class RelabelRegion(msgspec.Struct, frozen=True, kw_only=True):
    """A connected part of a mask that a model contradicts."""

    window: PixelWindow
    """Smallest that holds it."""
    area_px: int
    given: str | None
    """Class that it was labelled with; None: background."""
    suggested: str | None
    suspicion: float
    geometry: dict[str, Any] | None = None
    """Its outline as GeoJSON in EPSG:4326; None without a CRS."""


class Relabel(msgspec.Struct, frozen=True, kw_only=True):
    """A label that may be wrong: a model confidently contradicts it, or its image was replaced.

    What it says and what contradicts it is told to operators only.
    """

    sample_id: int
    path: str
    task: TaskName
    given: list[str] | None
    """Classes of the label; for a mask, that of its worst region. Empty: none, or background; None: not told."""
    suggested: list[str] | None
    """Classes that the model holds for right; None: not told."""
    suspicion: float
    """In (0, 1]: probability of the suggested class minus that of the given one; 1 where the image was replaced."""
    label_id: int
    annotator: str | None
    """Who gave the label; None: not told."""
    labelled_at: datetime
    regions: list[RelabelRegion] | None = None
    """Masks: the worst first; None for classes, and if not told."""
    reserve: bool | None = None
    """Whether it is a label of the test reserve, which is not trained on; shown to operators only."""
    reason: str | None = None
    """Why it is in doubt, if not because of a model: "the image was replaced on 2026-11-29"."""


class RelabelList(msgspec.Struct, frozen=True, kw_only=True):
    """Label error candidates, the most suspicious first."""

    relabels: list[Relabel]
    version: str
    """Model version that contradicts them, "features" for heads on image features."""
    waiting: int
    """Masks that were not compared yet: ask again."""


Verdict = Literal["helps", "no difference yet", "harms", "not known yet"]


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """What the strategy's choice was worth for one task, so far."""

    task: str
    metric: str
    version: str | None
    """Whose embeddings the heads were fitted on."""
    labels: int
    """Labels that the strategy chose."""
    control_labels: int
    reserve_labels: int
    strategy_accuracy: Estimate | None = None
    """Of a head on all labels that the strategy chose."""
    random_accuracy_at_same_labels: Estimate | None = None
    ratio: Estimate | None = None
    """Random labels that one of the strategy's is worth."""
    saved_labels: Estimate | None = None
    """Labels that random choice would have needed for the strategy's accuracy, less those of the strategy."""
    extrapolated: bool = False
    """Whether random's accuracy and the saved labels lie beyond the control that there is: as if the ratio stayed."""
    verdict: Verdict
    """By the ratio's interval: above 1, with 1 in it, below 1."""
    note: str


AdviceVerdict = Literal["go on", "stop", "unclear", "not known yet"]


class TaskAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """What more labels would bring one task."""

    task: str
    metric: str
    verdict: AdviceVerdict
    """go on: the gain is surely above 0; stop: it is surely below one point; unclear: neither."""
    sentence: str
    """All of it in words."""
    labels: int
    """Of the newest round."""
    value: float | None = None
    """Of the fitted curve at `labels`; null: too few rounds to fit one."""
    gain: float | None = None
    """What it gains with `more` labels."""
    low: float | None = None
    """95 % interval of `gain`, of which the scatter of the rounds around the curve is a part."""
    high: float | None = None
    limit: float | None = None
    """Where the curve ends with any number of labels, as far as this can be told from its beginning."""


class ModelAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far the two newest versions with scores agree about the images that both have scored, on one task.

    Once successive models agree, more labels of the kind that were given change little.
    """

    task: str
    versions: tuple[str, str]
    """The older one first."""
    images: int
    """That both have scored, outside the test reserve."""
    share: float
    """Of the images, those on which both give the same class, or show the same classes."""
    kappa: float | None
    """Cohen's kappa: 1 = they always agree, 0 = as often as by chance; null: both only ever give one class."""
    settled: bool
    """Whether kappa is at least 0.99, at which stabilizing predictions stop (Bloodgood and Vijay-Shanker 2009)."""
    sentence: str
    """All of it in words."""


class StopAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a campaign should go on."""

    more: int
    """Labels that are asked about."""
    seconds_a_label: float | None
    """Median time from one answer of an annotator to the next, without pauses over ten minutes; null: not known yet."""
    minutes: float | None
    """What `more` labels take an annotator."""
    tasks: list[TaskAdvice]
    """One for each task that was measured."""
    agreement: list[ModelAgreement] = []
    """Of successive models, one entry a task that pool scores tell it of; empty: fewer than two versions scored the
    pool."""
