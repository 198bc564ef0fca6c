"""Drift, from a real store and embeddings on disk."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from al_loop.campaigns.notices import campaign_notices
from al_loop.domain.campaigns import Campaign
from al_loop.domain.retraining import DriftSettings, RetrainPolicy
from al_loop.domain.rounds import RoundState
from al_loop.domain.webhooks import EventKind
from al_loop.store import LabelStore
from al_loop.training.triggers.drift_watch import DriftWatch
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import EMBEDDINGS_FILE, FEATURES, IDS_FILE
from tests.al_loop.store.fixtures import NOW, plain_headers
from tests.al_loop.store.tables.test_events import subscribe

LATER = NOW + timedelta(days=2)


def describe(store: EmbeddingStore, first_id: int, count: int, shift: float) -> None:
    """Embeddings of samples from `first_id` on."""
    part = store.new_part(FEATURES)
    values = np.random.default_rng(first_id).normal(size=(count, 16)).astype(np.float32)
    values[:, :8] += shift
    np.save(part / EMBEDDINGS_FILE, values)
    np.save(part / IDS_FILE, np.arange(first_id, first_id + count))


@pytest.mark.parametrize(("shift", "notices"), [(4.0, 1), (0.0, 0)])
def test_new_images_are_compared_with_old_ones_and_told_of_once(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path, shift: float, notices: int
) -> None:
    campaign = make_campaign(samples=60, policy=RetrainPolicy(drift=DriftSettings()))
    hook = subscribe(label_store, EventKind.DRIFT_DETECTED)
    embeddings = EmbeddingStore(tmp_path)
    describe(embeddings, 1, 60, 0.0)
    watch = DriftWatch(label_store, lambda _: embeddings, lambda: LATER)
    assert watch.look(campaign) is None  # no round yet: nothing is old
    entry = label_store.rounds.create(campaign.campaign_id, reason="ops", now=NOW + timedelta(days=1))
    label_store.rounds.set_state(campaign.campaign_id, entry.number, RoundState.REJECTED, LATER)
    assert watch.look(campaign) is None  # nothing is new
    label_store.samples.register(campaign.campaign_id, plain_headers(30, start=60), LATER)
    assert watch.look(campaign) is None  # nothing new is described
    describe(embeddings, 61, 30, shift)
    report = watch.look(campaign)
    assert report is not None
    assert (report.new_images, report.old_images, report.since_round) == (30, 60, entry.number)
    assert (report.auc > 0.95) == (shift > 0)
    assert label_store.drift.report(campaign.campaign_id) == report
    assert len(campaign_notices(label_store, campaign)) == notices
    assert DriftWatch(label_store, lambda _: embeddings, lambda: LATER).look(campaign) == report  # after a restart
    assert len(label_store.deliveries.page(hook, limit=9)) == notices
    holding = label_store.events.holding
    assert len(holding(EventKind.DRIFT_DETECTED)) == notices
    off = msgspec.structs.replace(campaign, policy=RetrainPolicy())
    assert watch.look(off) is None
    assert holding(EventKind.DRIFT_DETECTED) == {}
    assert watch.look(campaign) == report  # measured again, as it is asked for again
    assert len(holding(EventKind.DRIFT_DETECTED)) == notices
    failed = label_store.rounds.create(campaign.campaign_id, reason="ops", now=LATER + timedelta(minutes=1))
    label_store.rounds.set_state(campaign.campaign_id, failed.number, RoundState.FAILED, LATER, error="no room")
    assert watch.look(campaign) == report  # it learnt nothing of them
    assert label_store.drift.labelled_since(campaign.campaign_id, entry.requested_at, 10**9) == 0
    again = label_store.rounds.create(campaign.campaign_id, reason="ops", now=LATER + timedelta(hours=1))
    label_store.rounds.set_state(campaign.campaign_id, again.number, RoundState.REJECTED, LATER)
    assert watch.look(campaign) is None  # they are old now
    assert campaign_notices(label_store, campaign) == []
