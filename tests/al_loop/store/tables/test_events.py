"""Events are stored with the change that they tell of, for the webhooks that want them and for nobody else."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import RoundState
from al_loop.domain.webhooks import SUBSCRIBABLE, DueDelivery, EventKind
from al_loop.errors import ConflictError
from al_loop.store import LabelStore
from al_loop.store.database import Database
from al_loop.store.tables.events import note_event
from tests.al_loop.store.fixtures import NOW

LATER = NOW + timedelta(days=30)
Make = Callable[..., Campaign]
ROOT = Path(__file__).parent.parent.parent.parent.parent


def subscribe(store: LabelStore, *kinds: EventKind, campaigns: list[int] | None = None) -> int:
    return store.webhooks.add("https://example.org/h", kinds or SUBSCRIBABLE, campaigns, "whsec_AAAA", NOW).webhook_id


def told(store: LabelStore) -> list[tuple[str, dict[str, Any]]]:
    """Kinds and data of everything that waits, oldest first; takes it off the outbox."""
    found = []
    while due := store.deliveries.due(LATER, 100):
        for delivery in sorted(due, key=lambda entry: entry.delivery_id):
            found.append(body_of(delivery))
            store.deliveries.note_attempt(delivery.delivery_id, LATER, status=204, problem=None, next_at=None)
    return found


def body_of(delivery: DueDelivery) -> tuple[str, dict[str, Any]]:
    body = msgspec.json.decode(delivery.body)
    return body["type"], body["data"]


def test_event_waits_for_the_webhooks_that_want_it(label_store: LabelStore, make_campaign: Make) -> None:
    campaign, other = make_campaign("demo"), make_campaign("other")
    both = subscribe(label_store)
    only = subscribe(label_store, EventKind.DRIFT_DETECTED, campaigns=[campaign.campaign_id])
    label_store.events.publish(EventKind.DRIFT_DETECTED, campaign.campaign_id, {"share": 0.4}, NOW)
    label_store.events.publish(EventKind.DRIFT_DETECTED, other.campaign_id, {"share": 0.5}, NOW)
    label_store.events.publish(EventKind.LINK_LOST, campaign.campaign_id, {}, NOW)
    assert [entry.campaign for entry in label_store.deliveries.page(only, limit=9)] == ["demo"]
    kinds = [(entry.kind, entry.campaign) for entry in label_store.deliveries.page(both, limit=9)]
    assert kinds == [("link.lost", "demo"), ("drift.detected", "other"), ("drift.detected", "demo")]
    due = label_store.deliveries.due(NOW, 9)
    assert [entry.webhook_id for entry in due] == [both, only]  # the oldest of each
    assert msgspec.json.decode(due[1].body) == {
        "type": "drift.detected", "timestamp": "2026-03-01T12:00:00Z", "data": {"campaign": "demo", "share": 0.4},
    }  # fmt: skip
    assert due[1].secrets == ["whsec_AAAA"]
    assert due[0].event_id == due[1].event_id


def test_without_a_webhook_nothing_is_stored(
    label_store: LabelStore, store_database: Database, make_campaign: Make
) -> None:
    campaign = make_campaign("demo")
    label_store.events.publish(EventKind.DRIFT_DETECTED, campaign.campaign_id, {}, NOW)
    assert store_database.read("SELECT * FROM webhook_events") == []


def test_event_of_a_change_that_failed_is_not_stored(label_store: LabelStore, store_database: Database) -> None:
    hook = subscribe(label_store)

    def change(connection: Any) -> None:
        note_event(connection, EventKind.ROUND_FAILED, None, {}, NOW)
        raise ConflictError("no")

    with pytest.raises(ConflictError):
        store_database.write(change)
    assert label_store.deliveries.page(hook, limit=9) == []


def test_ends_of_rounds_are_told(label_store: LabelStore, make_campaign: Make) -> None:
    campaign_id = make_campaign("demo").campaign_id
    subscribe(label_store)
    for state in (RoundState.PROMOTED, RoundState.REJECTED, RoundState.FAILED, RoundState.CANCELLED):
        number = label_store.rounds.create(campaign_id, reason="ops", now=NOW).number
        label_store.rounds.set_state(campaign_id, number, RoundState.TRAINING, NOW, version=f"v{number}")
        label_store.rounds.set_state(campaign_id, number, state, NOW, error="boom" if state == "failed" else None)
    events = [(kind, data["number"], data["state"]) for kind, data in told(label_store)]
    assert events == [
        ("round.finished", 1, "promoted"), ("round.finished", 2, "rejected"), ("round.failed", 3, "failed"),
    ]  # fmt: skip


def test_promotions_are_told_and_older_versions_are_rollbacks(label_store: LabelStore, make_campaign: Make) -> None:
    campaign_id = make_campaign("demo").campaign_id
    subscribe(label_store, EventKind.MODEL_PROMOTED, EventKind.MODEL_ROLLED_BACK)
    for number in (1, 2):
        label_store.rounds.create(campaign_id, reason="ops", now=NOW, queue=True)
        label_store.versions.add(campaign_id, f"v{number}", number, NOW)
        label_store.versions.promote(campaign_id, f"v{number}", reason="gate", now=NOW)
    label_store.versions.promote(campaign_id, "v1", reason="v2 misses clouds", now=NOW)
    label_store.versions.promote(campaign_id, "v1", reason="again", now=NOW)
    assert [(kind, data["version"], data["previous"], data["reason"]) for kind, data in told(label_store)] == [
        ("model.promoted", "v1", None, "gate"),
        ("model.promoted", "v2", "v1", "gate"),
        ("model.rolled_back", "v1", "v2", "v2 misses clouds"),
    ]


def test_condition_is_told_when_it_begins_and_again_after_it_was_over(
    label_store: LabelStore, make_campaign: Make
) -> None:
    campaign_id = make_campaign("demo").campaign_id
    subscribe(label_store)
    began = [
        label_store.events.set_condition(EventKind.POOL_EXHAUSTED, campaign_id, holds=holds, data={}, now=NOW)
        for holds in (False, True, True, False, True)
    ]
    assert began == [False, True, False, False, True]
    assert [kind for kind, _ in told(label_store)] == ["pool.exhausted", "pool.exhausted"]
    assert label_store.events.holding(EventKind.POOL_EXHAUSTED) == {campaign_id: NOW}
    assert label_store.events.holding(EventKind.LINK_LOST) == {}


KILLED = """
import os, signal, sys
from pathlib import Path
from al_loop.domain.rounds import RoundState
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW

store = LabelStore.open(Path(sys.argv[1]))
number = store.rounds.create(1, reason="ops", now=NOW).number
store.rounds.set_state(1, number, RoundState.FAILED, NOW, error="boom")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_event_of_a_stored_change_outlives_a_kill(label_store: LabelStore, make_campaign: Make, tmp_path: Path) -> None:
    campaign = make_campaign("demo")
    assert campaign.campaign_id == 1
    hook = subscribe(label_store)
    label_store.close()
    path = tmp_path / "store" / "al_loop.duckdb"
    killed = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    again = LabelStore.open(path)
    (delivery,) = again.deliveries.page(hook, limit=9)
    again.close()
    assert (delivery.kind, delivery.state) == ("round.failed", "waiting")
