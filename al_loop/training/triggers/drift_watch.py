"""Measures whether images registered since the last round are unlike the older ones, and tells of it."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.domain.retraining import DriftReport, DriftSettings, drift_level
from al_loop.domain.rounds import RoundState
from al_loop.domain.webhooks import EventKind
from al_loop.store import LabelStore
from al_loop.training.triggers.drift import LEAST_IMAGES, MOST_IMAGES, tell_apart
from al_loop.training.triggers.policy import counted
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES, FROZEN

UNUSED = (RoundState.FAILED, RoundState.CANCELLED, RoundState.INTERRUPTED)
Measured = tuple[int, str, int, int]
"""Round since which images are new, version of the embeddings, new and old images."""


class DriftWatch:
    """Keeps the newest report of each campaign in the store."""

    def __init__(
        self, store: LabelStore, embeddings_for: Callable[[Campaign], EmbeddingStore], clock: Callable[[], datetime]
    ) -> None:
        """Nothing is measured yet.

        Args:
            store: Where reports are kept.
            embeddings_for: The embedding store of a campaign.
            clock: Gives aware UTC times.
        """
        self._store, self._embeddings_for, self._clock = store, embeddings_for, clock
        self._measured: dict[int, Measured] = {}

    def look(self, campaign: Campaign) -> DriftReport | None:
        """Measure again if images were registered or described, or a round began, since the last look.

        A round that failed, was cancelled or interrupted learnt nothing: images that were new before it still are.

        Takes a second or two then; returns the report that holds, None without a round, without new images, or where
        the policy does not ask.

        Raises:
            ScoringError: The embeddings on disk do not fit together.
            NonFiniteScoresError: They are NaN or infinite.
        """
        number, settings = campaign.campaign_id, campaign.policy.drift
        rounds = [entry for entry in counted(self._store.rounds.list(number)) if entry.state not in UNUSED]
        if settings is None or not rounds:
            self._store.drift.set_report(number, None)
            self._tell(campaign, None, settings)
            self._measured.pop(number, None)
            return None
        since = rounds[-1]
        new_ids = self._store.drift.registered_since(number, since.requested_at)
        embeddings = self._embeddings_for(campaign)
        version = FROZEN if embeddings.parts(FROZEN) else FEATURES
        known = embeddings.load(version)
        is_new = np.isin(known.sample_ids, new_ids)
        new, old = np.flatnonzero(is_new), np.flatnonzero(~is_new)
        key = since.number, version, len(new), len(old)
        if self._measured.get(number) == key:
            return self._store.drift.report(number)
        report = None
        if min(len(new), len(old)) >= LEAST_IMAGES:
            some = [_some(rows) for rows in (old, new)]
            found = tell_apart(*(np.asarray(known.values[rows], np.float32) for rows in some))
            report = DriftReport(
                version=version, since_round=since.number, auc=round(found.auc, 4), chance=round(found.chance, 4),
                p_value=found.p_value, new_images=len(some[1]), old_images=len(some[0]),
            )  # fmt: skip
        self._store.drift.set_report(number, report)
        self._tell(campaign, report, settings)
        self._measured[number] = key
        return report

    def _tell(self, campaign: Campaign, report: DriftReport | None, settings: DriftSettings | None) -> None:
        level = drift_level(report, settings)
        facts = (
            {} if report is None else {"auc": report.auc, "p_value": report.p_value, "new_images": report.new_images}
        )
        self._store.events.set_condition(
            EventKind.DRIFT_DETECTED,
            campaign.campaign_id,
            holds=level != "none",
            data={"level": level, **facts},
            now=self._clock(),
        )


def _some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most `MOST_IMAGES` of them, ascending, chosen at random and always the same."""
    if len(rows) <= MOST_IMAGES:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST_IMAGES, replace=False))
