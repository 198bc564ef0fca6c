"""Webhooks with their secrets, several of which may sign side by side."""

from datetime import timedelta

import pytest

from al_loop.domain.webhooks import SUBSCRIBABLE, EventKind
from al_loop.errors import NotFoundError
from al_loop.store import LabelStore
from al_loop.store.database import Database
from tests.al_loop.store.fixtures import NOW

DAY = timedelta(days=1)


def test_webhook_comes_back_as_it_was_stored(label_store: LabelStore) -> None:
    added = label_store.webhooks.add("https://example.org/h", [EventKind.LINK_LOST], [3, 4], "whsec_AAAA", NOW)
    everything = label_store.webhooks.add("https://example.org/i", SUBSCRIBABLE, None, "whsec_BBBB", NOW)
    assert (added.url, added.kinds, added.campaigns) == ("https://example.org/h", [EventKind.LINK_LOST], [3, 4])
    assert label_store.webhooks.get(added.webhook_id) == added
    assert label_store.webhooks.list() == [added, everything]
    assert everything.campaigns is None


def test_secrets_sign_side_by_side_until_the_older_ones_expire(label_store: LabelStore) -> None:
    hook = label_store.webhooks.add("https://example.org/h", SUBSCRIBABLE, None, "whsec_1", NOW).webhook_id
    label_store.deliveries.test(hook, NOW)
    label_store.webhooks.rotate(hook, "whsec_2", NOW + DAY, expires_at=NOW + 2 * DAY)
    label_store.webhooks.rotate(hook, "whsec_3", NOW + DAY, expires_at=NOW + 3 * DAY)
    signing = [label_store.deliveries.due(NOW + age * DAY, 1)[0].secrets for age in (1, 2, 3)]
    assert signing == [["whsec_3", "whsec_2", "whsec_1"], ["whsec_3", "whsec_2"], ["whsec_3"]]


def test_removed_webhook_leaves_neither_secrets_nor_deliveries(
    label_store: LabelStore, store_database: Database
) -> None:
    hook = label_store.webhooks.add("https://example.org/h", SUBSCRIBABLE, None, "whsec_1", NOW).webhook_id
    label_store.deliveries.test(hook, NOW)
    label_store.webhooks.remove(hook)
    assert store_database.read("SELECT * FROM webhook_secrets") == []
    assert label_store.deliveries.due(NOW, 9) == []
    for call in (label_store.webhooks.get, label_store.webhooks.remove):
        with pytest.raises(NotFoundError):
            call(hook)
    with pytest.raises(NotFoundError):
        label_store.webhooks.rotate(hook, "whsec_2", NOW, expires_at=NOW)
