"""Which scores rank a campaign's pool now: those published last, until others are stored or a version is promoted."""

import threading
from collections.abc import Callable

import numpy as np

from al_loop.domain.campaigns import Campaign
from al_loop.scoring.pool_scores import JOINED, PoolScores, build_pool_scores
from al_loop.store import LabelStore
from models.scoring.embedding_space import fit_space
from models.scoring.embeddings import Embeddings, EmbeddingStore
from models.scoring.spec import FEATURES, FROZEN

FROZEN_SHARE = 0.9
"""Share of the samples with features that the shipped encoder must have embedded, for both to rank together before the
first model: samples without both are not ranked."""

ScoresKey = tuple[str | None, int]
"""Serving version and revision of the stored scores: when it changes, stored scores rank again."""


class CurrentScores:
    """The scores of each campaign, in memory. Safe to share between threads."""

    def __init__(self, store: LabelStore, embeddings_for: Callable[[Campaign], EmbeddingStore]) -> None:
        """Nothing is read yet.

        Args:
            store: Where scores and versions are.
            embeddings_for: The embedding store of a campaign.
        """
        self._store, self._embeddings_for = store, embeddings_for
        self._known: dict[int, tuple[ScoresKey, PoolScores]] = {}
        self._locks: dict[int, threading.Lock] = {}
        self._listeners: list[Callable[[Campaign], None]] = []

    def on_change(self, listener: Callable[[Campaign], None]) -> None:
        """Call `listener` after every change of a campaign's scores, in the thread that changed them."""
        self._listeners.append(listener)

    def of(self, campaign: Campaign) -> PoolScores:
        """The scores that rank now, read from the store if those in memory are out of date.

        Raises:
            NonFiniteScoresError: Features are NaN or infinite.
            ScoringError: The embeddings on disk do not fit together.
        """
        number = campaign.campaign_id
        with self._locks.setdefault(number, threading.Lock()):
            if self.is_current(campaign):
                return self._known[number][1]
            key = self._key(campaign)
            scores = self._stored(campaign)
            self._known[number] = key, scores
        self._notify(campaign)
        return scores

    def known(self, campaign: Campaign) -> PoolScores | None:
        """The scores in memory, even if they are out of date; None before the first were read. Never waits."""
        known = self._known.get(campaign.campaign_id)
        return None if known is None else known[1]

    def is_current(self, campaign: Campaign) -> bool:
        """Whether no version was promoted and no scores were stored since those in memory."""
        known = self._known.get(campaign.campaign_id)
        return known is not None and known[0] == self._key(campaign)

    def publish(self, campaign: Campaign, scores: PoolScores) -> None:
        """Rank by these scores until others are stored or another version is promoted.

        For scores that are newer than those in the store, such as a head's that was refitted on cached embeddings.

        Args:
            campaign: As stored when the scores were computed.
            scores: Their `version`, `labels` and `scored_at` are shown with each query.
        """
        with self._locks.setdefault(campaign.campaign_id, threading.Lock()):
            self._known[campaign.campaign_id] = self._key(campaign), scores
        self._notify(campaign)

    def publish_stored(self, campaign: Campaign) -> None:
        """Rank by the newest scores in the store again, whatever was published.

        Raises:
            ScoringError: The embeddings on disk do not fit together.
        """
        self.publish(campaign, self._stored(campaign))

    def _key(self, campaign: Campaign) -> ScoresKey:
        return campaign.current_version, self._store.scores.revision(campaign.campaign_id)

    def _notify(self, campaign: Campaign) -> None:
        for listener in self._listeners:
            listener(campaign)

    def _stored(self, campaign: Campaign) -> PoolScores:
        """Scores of the serving version, else of the one that served last before it, else image features."""
        embeddings = self._embeddings_for(campaign)
        number = campaign.campaign_id
        if campaign.current_version is not None:
            served = [item for item in self._store.versions.list(number) if item.promoted_at]
            served.sort(key=lambda item: (item.current, item.promoted_at or item.created_at), reverse=True)
            for item in served:
                scores = self._store.scores.load(number, item.version)
                if scores.num_rows:
                    return build_pool_scores(
                        item.version,
                        scores,
                        embeddings.load(item.version),
                        labels=self._store.rounds.labels_of(number, item.version),
                        scored_at=self._store.scores.scored_at(number, item.version),
                    )
        nothing = self._store.scores.load(number, FEATURES)
        scored_at = self._store.scores.scored_at(number, FEATURES)
        features, frozen = embeddings.load(FEATURES), embeddings.load(FROZEN)
        both, *rows = np.intersect1d(features.sample_ids, frozen.sample_ids, assume_unique=True, return_indices=True)
        if len(both) and len(both) >= FROZEN_SHARE * len(features.sample_ids):
            sources = [kind.values[at] for kind, at in zip((features, frozen), rows, strict=True)]
            joined = Embeddings(both, fit_space(sources, leading=1).apply(sources))
            return build_pool_scores(JOINED, nothing, joined, scored_at=scored_at)
        if len(features.sample_ids):
            features = features._replace(values=fit_space([features.values]).apply([features.values]))
        return build_pool_scores(FEATURES, nothing, features, scored_at=scored_at)
