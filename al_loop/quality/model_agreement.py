"""How far successive models agree about the pool: from scores that are there already, nothing is run for it.

Stabilizing predictions: Bloodgood and Vijay-Shanker 2009, https://aclanthology.org/W09-1107. Where labels change the
answers of the model no more, they teach it little.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.domain.quality import ModelAgreement
from al_loop.quality.kappa import cohen_kappa
from al_loop.store import LabelStore
from models.errors import ScoringError
from models.scoring.embeddings import EmbeddingStore
from models.tasks import tasks_of

SETTLED = 0.99
"""Kappa from which on predictions count as stable."""

Values = NDArray[np.float32]


class SuccessiveModels:
    """Agreement of the two newest versions that scored the pool; kept until other scores come in."""

    def __init__(self, store: LabelStore, embeddings_for: Callable[[Campaign], EmbeddingStore]) -> None:
        """Nothing is read yet.

        Args:
            store: Says which versions have scores.
            embeddings_for: What the versions said of the pool.
        """
        self._store, self._embeddings_for = store, embeddings_for
        self._kept: dict[int, tuple[object, list[ModelAgreement]]] = {}

    def of(self, campaign: Campaign) -> list[ModelAgreement]:
        """One entry a task that the scores tell it of; empty: fewer than two versions have scores."""
        number = campaign.campaign_id
        known = [entry.version for entry in self._store.versions.list(number)]
        key = self._store.scores.revision(number), known, campaign.tasks
        kept = self._kept.get(number)
        if kept is None or kept[0] != key:
            scored = self._store.scores.counts(number)
            versions = [version for version in known if scored.get(version)][-2:]
            found = list(self._read(campaign, versions[0], versions[1])) if len(versions) == 2 else []
            kept = self._kept[number] = key, found
        return kept[1]

    def _read(self, campaign: Campaign, older: str, newer: str) -> Iterator[ModelAgreement]:
        embeddings = self._embeddings_for(campaign)
        try:
            first, second = embeddings.load(older), embeddings.load(newer)
        except ScoringError:  # parts that do not fit together: they are scored again
            return
        pool, _ = self._store.samples.paths(campaign.campaign_id, reserve=False)
        ids = np.intersect1d(np.intersect1d(first.sample_ids, second.sample_ids, assume_unique=True), pool)
        rows = np.searchsorted(first.sample_ids, ids), np.searchsorted(second.sample_ids, ids)
        for name, task in tasks_of(campaign.tasks).items():
            tables = (first.strata, second.strata) if task.per_pixel else (first.probabilities, second.probabilities)
            if tables[0] is None or tables[1] is None or not len(ids):
                continue  # several classes of an image are not kept
            given = np.asarray(tables[0][rows[0]], np.float32), np.asarray(tables[1][rows[1]], np.float32)
            yield (_shown if task.per_pixel else _named)(name, (older, newer), *given)


def _named(task: str, versions: tuple[str, str], first: Values, second: Values) -> ModelAgreement:
    """Agreement on the likeliest class of each image; probabilities (N, K), where K may have grown."""
    answers = first.argmax(axis=1), second.argmax(axis=1)
    classes = max(first.shape[1], second.shape[1])
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, answers, 1)
    return _agreement(task, versions, float((answers[0] == answers[1]).mean()), table, len(first), "on the class of")


def _shown(task: str, versions: tuple[str, str], first: Values, second: Values) -> ModelAgreement:
    """Agreement on which classes a mask shows: a column of strata (N, K + 1) is NaN where no region is of the class.

    Kappa is over all pairs of an image and a class.
    """
    classes = min(first.shape[1], second.shape[1])
    shown = np.isfinite(first[:, 1:classes]), np.isfinite(second[:, 1:classes])  # without the background
    table = np.zeros((2, 2), np.int64)
    np.add.at(table, (shown[0].ravel().astype(np.int64), shown[1].ravel().astype(np.int64)), 1)
    share = float((shown[0] == shown[1]).all(axis=1).mean())
    return _agreement(task, versions, share, table, len(first), "on which classes there are in")


def _agreement(
    task: str, versions: tuple[str, str], share: float, table: NDArray[np.int64], images: int, about: str
) -> ModelAgreement:
    kappa = cohen_kappa(table)
    settled = share == 1.0 if kappa is None else kappa >= SETTLED
    figure = "" if kappa is None else f" (kappa {kappa:.3f})"
    said = "more labels change little" if settled else "labels still change answers"
    return ModelAgreement(
        task=task, versions=versions, images=images, share=share, kappa=kappa, settled=settled,
        sentence=f"{versions[0]} and {versions[1]} agree {about} {share:.1%} of {images:,} images{figure}: {said}",
    )  # fmt: skip
