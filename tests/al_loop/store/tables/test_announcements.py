"""What operators are told of, once."""

from collections.abc import Callable

from al_loop.domain.campaigns import Campaign
from al_loop.domain.webhooks import EventKind
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.store.tables.test_events import subscribe


def test_key_is_announced_once_for_a_campaign_and_webhooks_are_told_of_it(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    one, other = make_campaign(name="one"), make_campaign(name="other")
    hook = subscribe(label_store, EventKind.ROUND_GIVEN_UP, campaigns=[one.campaign_id])
    table = label_store.announcements
    assert table.add(one, "round_failed", "round 3", "round 3 failed", NOW, {"round": 3})
    assert not table.add(one, "round_failed", "round 3", "again", NOW, {"round": 3})
    assert table.add(other, "round_failed", "round 3", "of another", NOW, {})
    newest = table.newest(one.campaign_id, "round_failed")
    assert newest is not None
    assert (newest.sentence, newest.detail, newest.announced_at) == ("round 3 failed", {"round": 3}, NOW)
    assert [entry.kind for entry in label_store.deliveries.page(hook, limit=9)] == [EventKind.ROUND_GIVEN_UP]


def test_announcing_wakes_those_who_wait_for_changes(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign()
    before = label_store.changes.total
    label_store.announcements.add(campaign, "round_failed", "a", "failed", NOW, {})
    assert label_store.changes.total == before + 1
    label_store.announcements.add(campaign, "round_failed", "a", "failed", NOW, {})
    assert label_store.changes.total == before + 1
