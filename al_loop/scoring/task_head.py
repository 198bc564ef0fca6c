"""The head of one task from refit to refit: fitted on its labels, judged, and what it makes of the pool."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.scoring.head_data import HeadData, HeadScores
from al_loop.scoring.head_report import TaskHeadReport
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.heads.linear_head import TUNED_FROM, Head, fit_head
from models.heads.losses import is_learnable
from models.metrics import detection_counts, macro_f1

MOST_LABELS = 10_000
"""Labels that a head is fitted on, at most; a random part of them when there are more."""
RETUNED_AT = 1.15
"""Penalty and temperature are chosen again once the labels have grown by this factor."""


@dataclass(frozen=True, kw_only=True)
class HeadComparison:
    """How a head compares with the serving model."""

    reserve_accuracy: float | None
    """Metric of the head on the labelled test reserve; None: too few labels there, or none of any class."""
    model_metric: float | None
    """Metric of the serving model there, as its round measured it; None: no model, or not measured."""
    ranks: bool
    """Whether the head is more accurate than the model; true if no model was measured."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedTask:
    """A task with its newest head."""

    spec: TaskSpec
    material: HeadData
    vectors: NDArray[np.float32]
    """Embeddings of the labels, shape (n, D)."""
    head: Head
    judgement: HeadComparison
    rng: np.random.Generator

    def score(self, *, with_bald: bool) -> HeadScores:
        """Score every sample that the task can."""
        return self.material.score(self.head, self.vectors, self.rng, with_bald=with_bald)

    def report(self) -> TaskHeadReport:
        """Of a task among several."""
        return TaskHeadReport(
            task=self.spec.task, labels=self.material.samples, held_out_accuracy=self.head.held_out_accuracy,
            trust=self.head.skill, reserve_accuracy=self.judgement.reserve_accuracy,
            model_metric=self.judgement.model_metric, ranks=self.judgement.ranks,
        )  # fmt: skip


class TaskHead:
    """Fits the head of one task; remembers the last one, from which the next starts."""

    def __init__(self) -> None:
        self._head: Head | None = None
        self._tuned_labels = 0
        self._tuned_on = ""

    def fit(
        self, store: LabelStore, campaign: Campaign, spec: TaskSpec, material: HeadData, space: str
    ) -> FittedTask | None:
        """Fit and judge a head; None while the labels hold no two different answers.

        Args:
            store: Knows the rounds.
            campaign: Its number seeds the generator: equal labels give equal heads, whatever the other tasks do.
            spec: The task.
            material: Its labels and what is to be scored.
            space: Name of the space of embeddings; another one starts over.
        """
        if not len(material.rows) or not is_learnable(material.targets, multi_label=material.multi_label):
            return None
        rng = np.random.default_rng(campaign.campaign_id)
        if len(material.rows) > MOST_LABELS:
            kept = np.sort(rng.choice(len(material.rows), MOST_LABELS, replace=False))
            material = replace(material, rows=material.rows[kept], targets=material.targets[kept])
        vectors = np.asarray(material.table[material.rows], np.float32)
        head = self._fit(space, vectors, material.targets, rng, multi_label=material.multi_label)
        return FittedTask(
            spec=spec, material=material, vectors=vectors, head=head, rng=rng,
            judgement=judge(store, campaign, spec, material, head),
        )  # fmt: skip

    def _fit(
        self,
        space: str,
        vectors: NDArray[np.float32],
        targets: NDArray[np.float32],
        rng: np.random.Generator,
        *,
        multi_label: bool,
    ) -> Head:
        """A head that starts from the last; what cross-validation chose is kept while there are few new labels."""
        last = self._head if self._tuned_on == space else None
        if last is not None and last.weights.shape != (vectors.shape[1] + 1, targets.shape[1]):
            last = None
        start = None if last is None else last.weights
        if last is not None and TUNED_FROM <= len(vectors) < RETUNED_AT * self._tuned_labels:
            head = fit_head(vectors, targets, rng=rng, start=start, like=last, multi_label=multi_label)
        else:
            head = fit_head(vectors, targets, rng=rng, start=start, multi_label=multi_label)
            self._tuned_labels, self._tuned_on = len(vectors), space
        self._head = head
        return head


def judge(store: LabelStore, campaign: Campaign, spec: TaskSpec, material: HeadData, head: Head) -> HeadComparison:
    """Compare the head of a task with the serving model.

    Args:
        store: Knows the rounds and what they measured.
        campaign: As stored now.
        spec: The task.
        material: What the head was fitted on, with its labelled test reserve.
        head: The head.
    """
    accuracy = reserve_metric(material, head, campaign.policy.min_reserve_labels)
    network = model_metric(store, campaign, spec)
    ranks = network is None or (accuracy is not None and accuracy >= network)
    return HeadComparison(reserve_accuracy=accuracy, model_metric=network, ranks=ranks)


def reserve_metric(material: HeadData, head: Head, least: int) -> float | None:
    """The head's accuracy on the labelled test reserve; macro F1 over the classes that are there if it is multi-label.

    A class counts as answered above a probability of 0.5, and F1 is that of the summed counts, as in
    `models.training.tallies`.

    Args:
        material: With the rows of the test reserve.
        head: Fitted on the same space.
        least: Labelled samples of the reserve that are needed.

    Returns:
        In [0, 1]; None with fewer labels, or if multi-label answers there name no class at all.
    """
    rows, targets = material.reserve
    if len(rows) < least:
        return None
    answered = head.probabilities(np.asarray(material.table[rows], np.float32))
    if not head.multi_label:
        return float(targets[np.arange(len(rows)), answered.argmax(axis=1)].mean())
    counts = [detection_counts(truth, answer) for truth, answer in zip(targets > 0.5, answered > 0.5, strict=True)]
    value = float(macro_f1(np.sum(counts, axis=0).astype(np.float64)))
    return value if np.isfinite(value) else None


def model_metric(store: LabelStore, campaign: Campaign, spec: TaskSpec) -> float | None:
    """Metric of the serving model at a task, as its round measured it; None: no model, or not measured."""
    for entry in store.rounds.list(campaign.campaign_id):
        if entry.evaluation is not None and entry.version == campaign.current_version:
            return next((part.value for part in entry.evaluation.candidate if part.task == spec.task), None)
    return None
