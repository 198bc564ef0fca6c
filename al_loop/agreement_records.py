"""What is said of annotators who answered the same samples."""

import msgspec

from al_loop.kappa import Estimate
from models.card import TaskName


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
