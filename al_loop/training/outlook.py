"""How far it is to a campaign's next round: reads the store for `next_round`."""

from collections.abc import Callable, Hashable
from datetime import datetime

from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import NextRound
from al_loop.store import LabelStore
from al_loop.training.installed import can_train
from al_loop.training.policy import last_counted_snapshot, next_round


class RoundOutlook:
    """Answers for all campaigns, kept until their labels, rounds or policy change."""

    def __init__(self, store: LabelStore, clock: Callable[[], datetime]) -> None:
        """Keep nothing yet.

        Args:
            store: What is read.
            clock: Gives aware UTC times.
        """
        self._store, self._clock = store, clock
        self._kept: dict[int, tuple[Hashable, NextRound]] = {}

    def of(self, campaign: Campaign) -> NextRound:
        """How far it is to the campaign's next round.

        As long as nothing is labelled, the test reserve is not drawn by asking.
        """
        campaign_id, now = campaign.campaign_id, self._clock()
        version = self._store.campaign_version(campaign_id)
        last, counts = self._store.rounds.last(campaign_id), self._store.campaigns.counts(campaign_id, now)
        running = self._store.rounds.active(campaign_id)
        key = (
            version, campaign.policy, campaign.archived_at, None if last is None else (last.number, last.state),
            counts.total, counts.labelled, counts.reserve, counts.reserve_labelled,
        )  # fmt: skip
        kept = self._kept.get(campaign_id)
        if kept is None or kept[0] != key:
            new = self._store.labels.new_samples_since(
                campaign_id, last_counted_snapshot(self._store.rounds.list(campaign_id))
            )
            labelled = counts.labelled + counts.reserve_labelled > 0
            missing = readiness(self._store, campaign, now) if labelled and campaign.archived_at is None else None
            lack = None if missing is None else str(missing)
            if not can_train():
                lack = "no rounds start: this installation cannot train (see /health/ready)"
            answer = next_round(
                new,
                campaign.policy,
                running=running,
                missing=lack,
                archived=campaign.archived_at is not None,
            )
            kept = self._kept[campaign_id] = key, answer
        return kept[1]
