"""A label in, a better ranking out: refits a light head on cached embeddings after new labels, and ranks by it.

Of the two judges of a classification pool, the head and the serving model, the one that is right more often on the test
reserve ranks: the head knows every label, the model sees the pixels.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.encoders import available_embeddings
from al_loop.errors import ScoringError
from al_loop.heads import TUNED_FROM, Head, fit_head
from al_loop.layout import DataLayout
from al_loop.ranking_scores import head_scores
from al_loop.records import Campaign
from al_loop.sampler import Sampler
from al_loop.score_board import ScoreBoard, positions_of
from al_loop.score_parts import NO_EMBEDDINGS, Embeddings
from al_loop.spaces import SpaceStore
from al_loop.store import LabelStore

logger = logging.getLogger(__name__)

HEAD_PREFIX = "head:"
"""Before the kinds of embeddings in the version that a query names, as in "head:features+ssl-1"."""

MOST_LABELS = 10_000
"""Labels that a head is fitted on, at most; a random part of them when there are more."""

RETUNED_AT = 1.15
"""Penalty and temperature are chosen anew when the labels have grown by this factor since."""

THREADS = 2


class HeadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the newest refit of a campaign did."""

    version: str
    """As in "head:features+ssl-1"."""
    labels: int
    """Labelled samples that it was fitted on, or drawn from."""
    samples: int
    """Samples that it scored."""
    fitted_at: datetime
    seconds: float
    """From reading the labels to the new ranking being handed over."""
    held_out_accuracy: float | None
    """Share of the labels that heads fitted without them get right."""
    trust: float | None
    """The same against guessing: 0 = the embeddings say nothing, 1 = they say all."""
    reserve_accuracy: float | None
    """Accuracy on the labelled part of the test reserve; None: too few labels there."""
    network_accuracy: float | None
    """The same of the serving model; None: there is none."""
    ranks: bool
    """Whether it ranks; if not, the serving model is right more often."""


@dataclass(eq=False)
class _Known:
    """What was made of a campaign last time."""

    key: tuple[object, ...] = ()
    head: Head | None = None
    tuned_labels: int = 0
    tuned_on: str = ""
    spaces: SpaceStore | None = None
    report: HeadReport | None = None


class HeadRefitter:
    """Looks for new labels and refits; one campaign after the other."""

    def __init__(self, store: LabelStore, layout: DataLayout, sampler: Sampler, clock: Callable[[], datetime]) -> None:
        """Make a refitter that has looked at nothing yet.

        Args:
            store: Where labels are.
            layout: Where embeddings are.
            sampler: Ranks by what comes out.
            clock: Gives aware UTC times.
        """
        self._store, self._layout, self._sampler, self._clock = store, layout, sampler, clock
        self._known: dict[int, _Known] = {}
        self._lock = threading.Lock()

    def tick(self) -> None:
        """Refit every campaign that has labels, embeddings or a model which its last refit did not know."""
        for campaign in self._store.campaigns.list():
            if _suits(campaign):
                try:
                    self.refit(campaign)
                except ScoringError as error:
                    logger.warning("campaign %s: no head could be fitted: %s", campaign.name, error)

    def report(self, campaign: Campaign) -> HeadReport | None:
        """What the newest refit did; None if there was none."""
        known = self._known.get(campaign.campaign_id)
        return None if known is None else known.report

    def refit(self, campaign: Campaign) -> HeadReport | None:
        """Refit the head of a campaign if something is new, and let it rank if it is the better judge.

        Returns:
            What was done; None if nothing is new, or two classes with embeddings are not there yet.

        Raises:
            ScoringError: Embeddings do not fit together or are not finite.
        """
        with self._lock:
            known = self._known.setdefault(campaign.campaign_id, _Known())
            versions = self._versions(campaign)
            key = (
                self._store.labels.newest_event(campaign.campaign_id), campaign.current_version, tuple(versions),
                self._store.scores.revision(campaign.campaign_id), tuple(campaign.tasks[0].classes),
            )  # fmt: skip
            if known.key == key:
                return None
            report = self._refit(campaign, known, versions)
            known.key, known.report = key, report or known.report
            return report

    def _refit(self, campaign: Campaign, known: _Known, versions: Sequence[str]) -> HeadReport | None:
        started = time.perf_counter()
        known.spaces = known.spaces or SpaceStore(self._layout.scores(campaign.name))
        embeddings = known.spaces.load(versions) if versions else NO_EMBEDDINGS
        rng = np.random.default_rng(campaign.campaign_id)
        labelled, targets = self._labels(campaign, embeddings)
        if len(labelled) > MOST_LABELS:
            kept = rng.choice(len(labelled), MOST_LABELS, replace=False)
            labelled, targets = labelled[kept], targets[kept]
        if not len(labelled) or np.count_nonzero(targets.sum(axis=0)) < 2:
            return None
        vectors = np.asarray(embeddings.values[labelled], np.float32)
        head = _fit(known, known.spaces.name(versions), vectors, targets, rng)
        accuracy, network = self._reserve_accuracy(campaign, embeddings, head), self._network_accuracy(campaign)
        ranks = network is None or (accuracy is not None and accuracy >= network)
        version = HEAD_PREFIX + "+".join(versions)
        if ranks:
            scores, probabilities = head_scores(
                embeddings.values, None, head, vectors, targets, rng, threads=THREADS,
                with_bald=self._sampler.wants_bald(campaign),
            )  # fmt: skip
            rows = np.arange(len(embeddings.sample_ids))
            board = ScoreBoard(
                version=version, sample_ids=embeddings.sample_ids, scores=scores, table=embeddings.values, rows=rows,
                labels=len(labelled), scored_at=self._clock(), probability_table=probabilities, score_rows=rows,
                trust=head.trust,
            )  # fmt: skip
            self._sampler.set_board(campaign, board)
        return HeadReport(
            version=version, labels=len(labelled), samples=len(embeddings.sample_ids), fitted_at=self._clock(),
            seconds=time.perf_counter() - started, held_out_accuracy=head.held_out_accuracy, trust=head.trust,
            reserve_accuracy=accuracy, network_accuracy=network, ranks=ranks,
        )  # fmt: skip

    def _versions(self, campaign: Campaign) -> list[str]:
        """Features, and the encoder trained without labels; until there is one, the serving model's embedding.

        The model's own embedding has seen the labels, so a head on it takes itself for surer than it is.
        """
        found = {entry.kind: entry.version for entry in available_embeddings(self._store, self._layout, campaign)}
        second = found.get("encoder") or found.get("model")
        return [version for version in (found.get("features"), second) if version is not None]

    def _labels(
        self, campaign: Campaign, embeddings: Embeddings, *, reserve: bool = False
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the labelled samples, (n,), and their classes as one-hot (n, K); golden samples are left out."""
        classes = campaign.tasks[0].classes
        sample_ids, answers = self._store.labels.class_answers(campaign.campaign_id, "classification", reserve=reserve)
        rows, there = positions_of(sample_ids, embeddings.sample_ids)
        numbers = np.array([classes.index(name) if name in classes else -1 for name in answers], np.int64)[there]
        rows, numbers = rows[numbers >= 0], numbers[numbers >= 0]
        return rows, np.eye(len(classes), dtype=np.float32)[numbers]

    def _reserve_accuracy(self, campaign: Campaign, embeddings: Embeddings, head: Head) -> float | None:
        rows, targets = self._labels(campaign, embeddings, reserve=True)
        if len(rows) < campaign.policy.min_reserve_labels:
            return None
        answered = head.probabilities(np.asarray(embeddings.values[rows], np.float32)).argmax(axis=1)
        return float(targets[np.arange(len(rows)), answered].mean())

    def _network_accuracy(self, campaign: Campaign) -> float | None:
        """Of the serving model on the test reserve, as its round measured it; None: no model."""
        for entry in self._store.rounds.list(campaign.campaign_id):
            if entry.evaluation is not None and entry.version == campaign.current_version:
                return next((part.value for part in entry.evaluation.candidate if part.metric == "accuracy"), None)
        return None


def _suits(campaign: Campaign) -> bool:
    """Whether a head can rank the whole campaign: one class a sample is all that is asked."""
    return [spec.task for spec in campaign.tasks] == ["classification"] and not campaign.tasks[0].multi_label


def _fit(
    known: _Known, space: str, vectors: NDArray[np.float32], targets: NDArray[np.float32], rng: np.random.Generator
) -> Head:
    """A head that starts from the last one; what cross-validation chose is kept while the labels have hardly grown."""
    last = known.head if known.tuned_on == space else None
    if last is not None and last.weights.shape != (vectors.shape[1] + 1, targets.shape[1]):
        last = None
    if last is not None and TUNED_FROM <= len(vectors) < RETUNED_AT * known.tuned_labels:
        head = fit_head(vectors, targets, rng=rng, start=last.weights, like=last)
    else:
        head = fit_head(vectors, targets, rng=rng, start=None if last is None else last.weights)
        known.tuned_labels, known.tuned_on = len(vectors), space
    known.head = head
    return head
