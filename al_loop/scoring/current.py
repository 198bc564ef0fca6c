"""Which scores rank a campaign's pool: those of the serving version, else of the one before it, else image features."""

from collections.abc import Callable

from al_loop.domain.campaigns import Campaign
from al_loop.scoring.pool_scores import PoolScores, build_pool_scores
from al_loop.store import LabelStore
from models.scoring.embedding_space import fit_space
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES

BoardKey = tuple[str | None, int]
"""Changes when a board has to be built anew."""


class CurrentScores:
    """Builds boards from the store and the embeddings beside it."""

    def __init__(self, store: LabelStore, embeddings_for: Callable[[Campaign], EmbeddingStore]) -> None:
        self._store, self._embeddings_for = store, embeddings_for

    def key(self, campaign: Campaign) -> BoardKey:
        """What a board built now is built of: it changes with every promotion and ingestion of scores."""
        return campaign.current_version, self._store.scores.revision(campaign.campaign_id)

    def newest(self, campaign: Campaign) -> PoolScores:
        """Scores of the serving version, else of the one that served last before it, else features in their space.

        Raises:
            NonFiniteScoresError: Features are NaN or infinite.
            ScoringError: The embeddings on disk do not fit together.
        """
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
        features = embeddings.load(FEATURES)
        if len(features.sample_ids):
            features = features._replace(values=fit_space([features.values]).apply([features.values]))
        return build_pool_scores(FEATURES, nothing, features, scored_at=scored_at)
