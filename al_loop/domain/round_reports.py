"""The report of a round: what its model is worth, on the test reserve alone, and what that may hide."""

from datetime import datetime
from typing import Literal

import msgspec

from al_loop_records.model_card import OtherMetric, PairedDifference, TaskName


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the test reserve with its 95 % interval."""

    value: float
    low: float | None
    """Bootstrap by block, of images never narrower than the exact binomial one; null: one sample, which has none."""
    high: float | None


class SliceReport(msgspec.Struct, frozen=True, kw_only=True):
    """A class, a place, or the samples at some distance from training."""

    name: str
    samples: int
    """Reserve samples: of a class those that show it, in truth or in the answer."""
    accuracy: Measured | None = None
    """Right answers of all; of a class, whether it is told from the others."""
    precision: Measured | None = None
    """Of a class: answers of it that are right."""
    recall: Measured | None = None
    """Of a class: what of it is found."""
    f1: Measured | None = None
    """Of a class, or the mean over classes that the samples show."""
    iou: Measured | None = None
    """Intersection over union; of a class, or the mean over classes that the samples show."""
    expected_calibration_error: Measured | None = None
    """Mean gap between confidence and correctness; of a class, of the answers that name it."""


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of about one confidence."""

    low: float
    """Least confidence of the bin."""
    high: float
    """Largest confidence of the bin."""
    count: int
    """Images, pixels, classes of images, or boxes."""
    confidence: float
    """Mean of these answers."""
    correct: Measured
    """Share of them that is right."""


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken for what."""

    rows: list[str]
    """What is true."""
    columns: list[str]
    """What was answered; of several classes an image: right, wrongly named, missed, rightly left out."""
    counts: list[list[int]]
    """Images, pixels, or boxes and objects: "nothing" is the row of boxes where nothing is, and the column of objects
    that no box shows."""


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """A reserve sample that the model is wrong about, and sure of it."""

    sample_id: int
    path: str
    block: str
    """Block of the test reserve that it lies in."""
    truth: str
    """The class, the classes, or the class of most of the wrong pixels."""
    answer: str
    """What it was taken for."""
    confidence: float
    """Confidence in what is wrong; of pixels the mean over all, right ones counting 0; of boxes that of the surest
    wrong one, or 1 - the score of the best box at an object that is missed."""
    picture: str
    """Address of its picture, relative to the root of the service."""


class NeededLabels(msgspec.Struct, frozen=True, kw_only=True):
    """How large the test reserve has to be for a question, if the model stays as good."""

    question: Literal["beats constant answers", "differs from the serving model"]
    """What the reserve is asked."""
    decided: bool
    """Whether it answers."""
    more: int | None
    """Further labelled reserve samples that would decide it; 0: it is decided; null: no number would, or too many."""
    sentence: str
    """The answer, or what is missing, in words."""


class TaskReport(msgspec.Struct, frozen=True, kw_only=True):
    """One task, measured on the test reserve."""

    task: TaskName
    metric: str
    """As the gate compares it."""
    value: float
    low: float
    high: float
    baseline: float
    """Of the best constant answer."""
    overall: SliceReport
    """All samples together."""
    blocks: int
    """Blocks of the reserve with a labelled sample: what intervals are resampled by."""
    classes: list[SliceReport]
    """Each class, in the order of the model's outputs."""
    places: list[SliceReport]
    """Blocks of the reserve, most samples first; empty where samples stand alone."""
    places_left_out: int
    """Further places with fewer samples."""
    distances: list[SliceReport]
    """By distance to the nearest training image; empty where images have no place."""
    reliability: list[ReliabilityBin]
    """Correctness by confidence, without empty bins."""
    confusion: Confusion
    """What is taken for what."""
    paired: PairedDifference | None
    """Against the version that served."""
    needed: list[NeededLabels]
    """What the reserve decides, and how many more labels would decide the rest."""
    mistakes: list[Mistake]
    """The most confident first."""
    others: list[OtherMetric] = []
    """What is measured besides, of the task or of a class."""


class LeakReport(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled reserve samples that show what a training image shows."""

    overlapping: int
    """That share ground with one."""
    equal: int
    """Whose pixels are those of one."""
    samples: int
    """In all."""
    excluded: bool
    """Whether they are left out of everything else in the report."""
    sentence: str
    """The same in words."""


class BiasedEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """A metric on labels that queries chose: no estimate of how good the model is on the pool."""

    task: TaskName
    candidate: str
    """quick or deep."""
    value: float
    won: bool
    """Whether this candidate became the version."""


class ChosenLabels(msgspec.Struct, frozen=True, kw_only=True):
    """What is known from labels outside the reserve; apart, as it is biased."""

    sources: dict[str, int]
    """Labelled samples of the campaign outside the reserve by what they were asked for."""
    estimates: list[BiasedEstimate]
    """On training labels that the candidate was not fitted on."""
    sentence: str
    """Why none of this is to be compared with the reserve."""


class RoundReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a round's model is worth."""

    campaign: str
    round_number: int
    """Number of the round."""
    version: str
    state: str
    ended_at: datetime | None
    verdict: str | None
    """What the gate decided and why, in one sentence."""
    labels: int
    reserve_labels: int
    """Labelled reserve samples that were measured."""
    incumbent_version: str | None
    leakage: LeakReport | None
    """null: a round from before that was looked at."""
    tasks: list[TaskReport]
    chosen: ChosenLabels
    """Estimates on chosen labels, which are biased."""
    notices: list[str]
    """What a reader has to know before the figures, in sentences."""
