"""The head of one task from refit to refit: fitted on its labels, judged, and what it makes of the pool."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from al_loop.head_judging import Judgement, judge
from al_loop.head_losses import loss_of
from al_loop.head_report import TaskHeadReport
from al_loop.heads import TUNED_FROM, Head, fit_head
from al_loop.records import Campaign
from al_loop.refit_material import Material, Scored
from al_loop.store import LabelStore
from models.card import TaskSpec

MOST_LABELS = 10_000
"""Labels that a head is fitted on, at most; a random part of them when there are more."""

RETUNED_AT = 1.15
"""Penalty and temperature are chosen anew when the labels have grown by this factor since."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedTask:
    """A task with its newest head."""

    spec: TaskSpec
    material: Material
    vectors: NDArray[np.float32]
    """Embeddings of the labels, shape (n, D)."""
    head: Head
    judgement: Judgement
    rng: np.random.Generator

    def score(self, *, with_bald: bool) -> Scored:
        """Score every sample that the task can."""
        return self.material.score(self.head, self.vectors, self.rng, with_bald=with_bald)

    def report(self) -> TaskHeadReport:
        """Of a task among several."""
        return TaskHeadReport(
            task=self.spec.task, labels=self.material.samples, held_out_accuracy=self.head.held_out_accuracy,
            trust=self.head.trust, reserve_accuracy=self.judgement.reserve_accuracy,
            network_value=self.judgement.network_value, ranks=self.judgement.ranks,
        )  # fmt: skip


class TaskHead:
    """Fits the head of one task; remembers the last one, from which the next starts."""

    def __init__(self) -> None:
        self._head: Head | None = None
        self._tuned_labels = 0
        self._tuned_on = ""

    def fit(
        self, store: LabelStore, campaign: Campaign, spec: TaskSpec, material: Material, space: str
    ) -> FittedTask | None:
        """Fit and judge a head; None while the labels hold no two different answers.

        Args:
            store: Knows the rounds.
            campaign: Its number seeds the generator: equal labels give equal heads, whatever the other tasks do.
            spec: The task.
            material: Its labels and what is to be scored.
            space: Name of the space of embeddings; another one begins anew.
        """
        if not len(material.rows) or not loss_of(multi_label=material.multi_label).tells_apart(material.targets):
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
        """A head that starts from the last; what cross-validation chose is kept while labels have hardly grown."""
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
