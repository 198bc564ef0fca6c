"""A label in, a better ranking out: refits a light head on cached embeddings after new labels, and ranks by it.

Head or serving model, the better judge ranks: the head knows every label, the model sees the pixels. For
classification that is the one that is right more often on the test reserve. For segmentation the head, which sees cells
of an image, is no match for the model's pixels, and ranks before the first model and when labels have grown by a fifth
since.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.cell_targets import PaintedCells
from al_loop.encoders import available_embeddings
from al_loop.errors import ScoringError
from al_loop.heads import TUNED_FROM, Head, fit_head
from al_loop.layout import DataLayout
from al_loop.records import Campaign
from al_loop.refit_material import JoinedCells, Material, Scored, cell_material, class_material
from al_loop.sampler import Sampler
from al_loop.score_board import ScoreBoard
from al_loop.score_parts import Embeddings, EmbeddingStore
from al_loop.spaces import SpaceStore
from al_loop.store import LabelStore

logger = logging.getLogger(__name__)

HEAD_PREFIX = "head:"
"""Before the kinds of embeddings in the version that a query names, as in "head:features+ssl-1"."""

MOST_LABELS = 10_000
"""Labels that a head is fitted on, at most; a random part of them when there are more."""

RETUNED_AT = 1.15
"""Penalty and temperature are chosen anew when the labels have grown by this factor since."""

OUTGROWN = 1.2
"""Labels over those of the serving model from which a segmentation head ranks instead of it."""


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
    """Accuracy on the labelled part of the test reserve; None: too few labels there, or segmentation."""
    network_value: float | None
    """Metric of the serving model on the test reserve; None: there is no model."""
    ranks: bool
    """Whether it ranks; if not, the serving model is the better judge."""


@dataclass(eq=False)
class _Known:
    """What was made of a campaign last time."""

    spaces: SpaceStore
    cells: JoinedCells
    painted: PaintedCells
    key: tuple[object, ...] = ()
    head: Head | None = None
    tuned_labels: int = 0
    tuned_on: str = ""
    harmful: bool = False
    report: HeadReport | None = None


class HeadRefitter:
    """Looks for new labels and refits; one campaign after the other."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        sampler: Sampler,
        is_harmful: Callable[[Campaign], bool],
        clock: Callable[[], datetime],
    ) -> None:
        """Make a refitter that has looked at nothing yet.

        Args:
            store: Where labels are.
            layout: Where embeddings are.
            sampler: Ranks by what comes out.
            is_harmful: Whether choosing by scores has done worse than chance so far; may take seconds.
            clock: Gives aware UTC times.
        """
        self._store, self._layout, self._sampler, self._clock = store, layout, sampler, clock
        self._is_harmful = is_harmful
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
            known = self._known_of(campaign)
            versions = self._versions(campaign)
            key = (
                self._store.labels.newest_event(campaign.campaign_id), campaign.current_version, tuple(versions),
                self._store.scores.revision(campaign.campaign_id), tuple(campaign.tasks[0].classes),
            )  # fmt: skip
            if known.key == key or not versions:
                return None
            report = self._refit(campaign, known, versions)
            known.key, known.report = key, report or known.report
            return report

    def _refit(self, campaign: Campaign, known: _Known, versions: Sequence[str]) -> HeadReport | None:
        started = time.perf_counter()
        embeddings = known.spaces.load(versions)
        material = self._material(campaign, known, versions, embeddings)
        if material is None or not len(material.rows) or np.count_nonzero(material.targets.sum(axis=0)) < 2:
            return None
        rng = np.random.default_rng(campaign.campaign_id)
        if len(material.rows) > MOST_LABELS:
            kept = np.sort(rng.choice(len(material.rows), MOST_LABELS, replace=False))
            material = replace(material, rows=material.rows[kept], targets=material.targets[kept])
        vectors = np.asarray(material.table[material.rows], np.float32)
        head = _fit(known, "+".join(versions), vectors, material.targets, rng)
        accuracy, network = _reserve_accuracy(campaign, material, head), self._network_value(campaign)
        ranks = self._head_ranks(campaign, material, accuracy, network)
        version = HEAD_PREFIX + "+".join(versions)
        if ranks:
            with_bald = self._sampler.wants_bald(campaign)
            scored = material.score(head, vectors, rng, with_bald=with_bald)
            self._sampler.set_board(campaign, self._board(version, scored, embeddings, material, head, known))
        report = HeadReport(
            version=version, labels=material.samples, samples=len(material.sample_ids), fitted_at=self._clock(),
            seconds=time.perf_counter() - started, held_out_accuracy=head.held_out_accuracy, trust=head.trust,
            reserve_accuracy=accuracy, network_value=network, ranks=ranks,
        )  # fmt: skip
        self._look_for_harm(campaign, known)
        return report

    def _known_of(self, campaign: Campaign) -> _Known:
        known = self._known.get(campaign.campaign_id)
        if known is None:
            root = self._layout.scores(campaign.name)
            known = self._known[campaign.campaign_id] = _Known(
                SpaceStore(root), JoinedCells(EmbeddingStore(root)), PaintedCells()
            )
        return known

    def _versions(self, campaign: Campaign) -> list[str]:
        """Features, and the encoder trained without labels; until there is one, the serving model's embedding.

        The model's own embedding has seen the labels, so a head on it takes itself for surer than it is. It has no
        cells, so that segmentation goes without it.
        """
        found = {entry.kind: entry.version for entry in available_embeddings(self._store, self._layout, campaign)}
        second = found.get("encoder") or (found.get("model") if _classifies(campaign) else None)
        return [version for version in (found.get("features"), second) if version is not None]

    def _material(
        self, campaign: Campaign, known: _Known, versions: Sequence[str], embeddings: Embeddings
    ) -> Material | None:
        if _classifies(campaign):
            return class_material(self._store, campaign, embeddings)
        cells = known.cells.load(versions)
        return None if cells is None else cell_material(self._store, campaign, cells, known.painted)

    def _head_ranks(
        self, campaign: Campaign, material: Material, accuracy: float | None, network: float | None
    ) -> bool:
        if network is None:
            return True
        if _classifies(campaign):
            return accuracy is not None and accuracy >= network
        trained_on = self._store.rounds.labels_of(campaign.campaign_id, campaign.current_version or "")
        return material.samples >= OUTGROWN * trained_on

    def _network_value(self, campaign: Campaign) -> float | None:
        """Metric of the serving model on the test reserve, as its round measured it; None: no model."""
        for entry in self._store.rounds.list(campaign.campaign_id):
            if entry.evaluation is not None and entry.version == campaign.current_version:
                return next((part.value for part in entry.evaluation.candidate), None)
        return None

    def _board(
        self, version: str, scored: Scored, embeddings: Embeddings, material: Material, head: Head, known: _Known
    ) -> ScoreBoard:
        """Scores and sample embeddings side by side."""
        both, rows, from_scores = np.intersect1d(
            embeddings.sample_ids, scored.sample_ids, assume_unique=True, return_indices=True
        )
        return ScoreBoard(
            version=version, sample_ids=both, table=embeddings.values, rows=rows,
            scores={name: values[from_scores] for name, values in scored.scores.items()},
            labels=material.samples, scored_at=self._clock(), probability_table=scored.probabilities,
            stratum_table=scored.strata, score_rows=from_scores, trust=head.trust, harmful=known.harmful,
        )  # fmt: skip

    def _look_for_harm(self, campaign: Campaign, known: _Known) -> None:
        """After the new ranking is handed over: whether the strategy does worse than chance, which changes `auto`."""
        harmful = self._is_harmful(campaign)
        if harmful != known.harmful:
            known.harmful = harmful
            self._sampler.set_board(campaign, replace(self._sampler.board(campaign), harmful=harmful))


def _classifies(campaign: Campaign) -> bool:
    return campaign.tasks[0].task == "classification"


def _suits(campaign: Campaign) -> bool:
    """Whether a head can rank the whole campaign: one task, and one class a sample or a mask."""
    return len(campaign.tasks) == 1 and not (_classifies(campaign) and campaign.tasks[0].multi_label)


def _reserve_accuracy(campaign: Campaign, material: Material, head: Head) -> float | None:
    rows, targets = material.reserve
    if len(rows) < campaign.policy.min_reserve_labels:
        return None
    answered = head.probabilities(np.asarray(material.table[rows], np.float32)).argmax(axis=1)
    return float(targets[np.arange(len(rows)), answered].mean())


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
