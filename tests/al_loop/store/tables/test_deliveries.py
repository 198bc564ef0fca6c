"""Deliveries wait, are tried, end, and are tried again when somebody asks."""

from datetime import timedelta

import pytest

from al_loop.domain.webhooks import SUBSCRIBABLE
from al_loop.errors import ConflictError, NotFoundError
from al_loop.store import LabelStore
from al_loop.store.database import Database
from tests.al_loop.store.fixtures import NOW

HOUR = timedelta(hours=1)


@pytest.fixture
def hook(label_store: LabelStore) -> int:
    return label_store.webhooks.add("https://example.org/h", SUBSCRIBABLE, None, "whsec_1", NOW).webhook_id


def fail(store: LabelStore, delivery_id: int, *, again: bool) -> None:
    next_at = NOW + HOUR if again else None
    store.deliveries.note_attempt(delivery_id, NOW, status=500, problem="answered 500", next_at=next_at)


def test_delivery_that_failed_waits_for_its_time(label_store: LabelStore, hook: int) -> None:
    delivery = label_store.deliveries.test(hook, NOW)
    assert (delivery.state, delivery.attempts, delivery.kind) == ("waiting", 0, "webhook.test")
    fail(label_store, delivery.delivery_id, again=True)
    assert label_store.deliveries.due(NOW, 9) == []
    assert label_store.deliveries.next_at() == NOW + HOUR
    (due,) = label_store.deliveries.due(NOW + HOUR, 9)
    assert (due.attempts, due.queued_at, due.event_id) == (1, NOW, delivery.event_id)


def test_delivery_that_was_given_up_is_dead_until_it_is_redelivered(label_store: LabelStore, hook: int) -> None:
    delivery = label_store.deliveries.test(hook, NOW)
    with pytest.raises(ConflictError):
        label_store.deliveries.redeliver(hook, delivery.delivery_id, NOW)
    fail(label_store, delivery.delivery_id, again=False)
    (dead,) = label_store.deliveries.page(hook, "dead", limit=9)
    assert (dead.status, dead.problem, dead.ended_at, dead.next_at) == (500, "answered 500", NOW, None)
    assert label_store.deliveries.counts() == {"dead": 1}
    again = label_store.deliveries.redeliver(hook, delivery.delivery_id, NOW + HOUR)
    assert (again.state, again.attempts, again.queued_at, again.event_id) == (
        "waiting", 0, NOW + HOUR, delivery.event_id,
    )  # fmt: skip


def test_all_dead_deliveries_of_a_webhook_are_redelivered_together(label_store: LabelStore, hook: int) -> None:
    ids = [label_store.deliveries.test(hook, NOW).delivery_id for _ in range(3)]
    for number in ids[:2]:
        fail(label_store, number, again=False)
    assert label_store.deliveries.redeliver_dead(hook, NOW) == 2
    assert label_store.deliveries.counts() == {"waiting": 3}


def test_deliveries_come_in_pages(label_store: LabelStore, hook: int) -> None:
    ids = [label_store.deliveries.test(hook, NOW).delivery_id for _ in range(3)]
    first = label_store.deliveries.page(hook, limit=2)
    assert [entry.delivery_id for entry in first] == ids[:0:-1]
    assert [entry.delivery_id for entry in label_store.deliveries.page(hook, limit=2, before=ids[1])] == ids[:1]
    with pytest.raises(NotFoundError):
        label_store.deliveries.get(hook + 1, ids[0])


def test_old_deliveries_are_forgotten_with_their_events(
    label_store: LabelStore, store_database: Database, hook: int
) -> None:
    done, dead, waiting = (label_store.deliveries.test(hook, NOW).delivery_id for _ in range(3))
    label_store.deliveries.note_attempt(done, NOW, status=204, problem=None, next_at=None)
    fail(label_store, dead, again=False)
    label_store.deliveries.forget_before(delivered=NOW + HOUR, dead=NOW)
    assert {entry.delivery_id for entry in label_store.deliveries.page(hook, limit=9)} == {dead, waiting}
    label_store.deliveries.forget_before(delivered=NOW + HOUR, dead=NOW + HOUR)
    assert [entry.delivery_id for entry in label_store.deliveries.page(hook, limit=9)] == [waiting]
    assert store_database.read("SELECT count(*) AS n FROM webhook_events")[0]["n"] == 1
