"""What the promotion gate asks of a candidate, what it decided, and candidates that wait for the last word.

Thresholds speak the vocabulary of TensorFlow Model Analysis: `value_threshold` with `lower_bound` and `upper_bound`,
`change_threshold` with `direction`, `absolute` and `relative`, and the least number of examples of a slice.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from al_loop_records.model_card import TaskName

PromotionMode = Literal["automatic", "ask", "shadow"]
"""automatic: what passes the gate serves; ask: it waits for a person; shadow: it answers beside the serving version,
unseen, until labels have judged both."""
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
MetricName = Annotated[str, msgspec.Meta(max_length=40)]

EACH = "*"
"""As the name of a class or place: each of them."""


class ValueThreshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Between which values a metric of the candidate has to lie, ends included."""

    lower_bound: Share | None = None
    """At least this; null: any."""
    upper_bound: Share | None = None
    """At most this; null: any."""


class ChangeThreshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a metric may change against the serving version, on the same reserve samples.

    Both bounds have to hold where both are given. A change in the direction that is better passes as far as it reaches
    the bound: with `higher_is_better`, `absolute` -0.02 lets a candidate lose two points, 0.01 wants one more.
    """

    direction: Literal["higher_is_better", "lower_is_better"] | None = None
    """Null: as the metric has it; `ece` is better when lower, all others when higher."""
    absolute: Annotated[float, msgspec.Meta(ge=-1, le=1)] | None = None
    """Least change (most, where lower is better), in units of the metric."""
    relative: Annotated[float, msgspec.Meta(ge=-1, le=100)] | None = None
    """Least change (most, where lower is better), as a share of the serving version's value."""


class GateThreshold(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"of_class": "class"}
):
    """What is asked of one metric, on the whole reserve or on a slice of it."""

    task: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    """Of which task; null: of each that has the metric."""
    metric: MetricName | None = None
    """`accuracy`, `macro_f1` or `miou`, as the task has it; `recall`, `f1` or `iou` of a class; `ece`, the expected
    calibration error, not of a class. Null: the one of the task, or of its classes."""
    of_class: Name | None = None
    """Reserve samples that show this class, or `*` for each class; null: all."""
    place: Name | None = None
    """Reserve samples of this block, such as `place:12:40`, `folder:alps` or `group:2019`, or `*` for each block; null:
    all."""
    value_threshold: ValueThreshold | None = None
    """What the metric of the candidate has to be; null: anything."""
    change_threshold: ChangeThreshold | None = None
    """What it has to be against that of the serving version; null: anything."""
    min_examples: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    """Reserve samples below which the threshold is not asked."""

    @property
    def where(self) -> str:
        """The slice, for people; empty: the whole reserve."""
        if self.of_class is not None:
            return "any class" if self.of_class == EACH else f"class {self.of_class}"
        return "any place" if self.place == EACH else self.place or ""


class GateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a candidate beside not being worse than what serves."""

    thresholds: Annotated[tuple[GateThreshold, ...], msgspec.Meta(max_length=100)] = ()
    """All of them have to hold."""
    most_ece_increase: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """How much the expected calibration error of a task may grow; null: any."""
    most_latency_ratio: Annotated[float, msgspec.Meta(gt=0, le=1_000)] | None = None
    """How many times as long as the serving version's a run may take, on the same image and machine; null: any."""


class ShadowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a challenger in the shadow is judged by labels that come in."""

    labels: Annotated[int, msgspec.Meta(ge=5, le=10**6)] = 30
    """Labelled samples that judge both versions, at which it is decided."""
    decide: Literal["automatic", "person"] = "automatic"
    """automatic: promoted or rejected then; person: they are told, and decide."""


CheckName = Literal["reserve", "metric", "threshold", "calibration", "latency", "parity", "artefact", "background"]


class GateCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the gate looked at."""

    check: CheckName
    """What was looked at."""
    outcome: Literal["passed", "failed", "not asked"]
    """not asked: nothing is demanded, or too few samples could tell."""
    sentence: str
    """What was measured and what is demanded, in words."""
    task: TaskName | None = None
    metric: str | None = None
    where: str = ""
    """Slice of the reserve: `class water`, `place:12:40`; empty: all of it."""
    value: float | None = None
    """Of the candidate."""
    before: float | None = None
    """Of the version that served, on the same samples."""
    low: float | None = None
    """95 % interval of `value` - `before`, where it is known; of `value` for a first model."""
    high: float | None = None
    samples: int | None = None
    """Reserve samples that were counted."""


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate decided about a round's version, with every check."""

    version: str
    promote: bool
    """Whether it passed. Who promotes it then is `promotion` of the policy."""
    reason: str
    checks: list[GateCheck]
    """All that was looked at, whichever decided."""
    against: str | None = None
    """Version that it was compared with; null: none served."""


ChallengerState = Literal["waiting", "promoted", "rejected"]


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Champion and challenger by labels that came in after both had answered, on one task."""

    task: TaskName
    metric: Literal["accuracy", "iou"]
    """accuracy: share of samples whose classes were named exactly; iou: mean over samples of the mean over classes."""
    samples: int
    champion: float | None
    """Metric of the version that serves."""
    challenger: float | None
    """Metric of the version in the shadow."""
    difference: float | None
    """Challenger minus champion on the same samples."""
    low: float | None
    """95 % interval of the difference, resampled by sample."""
    high: float | None
    unaided: int = 0
    """Of the samples, those whose annotator was shown no suggestion: labels of the others lean towards the champion."""


class ShadowReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a challenger in the shadow does."""

    version: str
    champion: str | None
    """Version that serves."""
    since: datetime
    """When the challenger began."""
    answered: int
    """Predictions that both versions have answered."""
    dropped: int
    """Predictions that the challenger did not answer since the service started, as too many were waiting."""
    failed: int
    """Predictions that the challenger could not answer since the service started."""
    judgements: list[Judgement]
    """By labels that came in since, one entry for each task that has any."""
    needed: int
    """Judging samples at which it is decided."""
    ready: bool
    """Whether there are enough of them."""
    promote: bool | None
    """What the rule says; null: too few labels yet."""
    sentence: str
    """All of it in words."""


class Challenger(msgspec.Struct, frozen=True, kw_only=True):
    """A version that passed the gate and waits for the last word, or once did."""

    version: str
    round_number: int
    mode: Literal["ask", "shadow"]
    """ask: a person decides; shadow: it answers unseen until labels have judged it."""
    since: datetime
    """When it passed the gate."""
    state: ChallengerState
    reason: str
    """What the gate said; of one that waits no more, why."""
    label_event_id: int = 0
    """Newest label event of its training."""
    decided_at: datetime | None = None
    """When it was promoted or rejected; null: it waits."""
