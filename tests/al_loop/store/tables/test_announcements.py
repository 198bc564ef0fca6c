"""What operators are told of, once."""

from collections.abc import Callable

from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW


def test_key_is_announced_once_for_a_campaign_and_kind_and_read_in_order(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    one, other = make_campaign(name="one"), make_campaign(name="other")
    table = label_store.announcements
    assert table.add(one, "round_failed", "round 3", "round 3 failed", NOW, {"round": 3})
    assert not table.add(one, "round_failed", "round 3", "again", NOW, {"round": 3})
    assert table.add(other, "round_failed", "round 3", "of another", NOW, {})
    assert table.add(one, "drift", "round 3", "unlike", NOW, {})
    assert [entry.sentence for entry in table.since(0)] == ["round 3 failed", "of another", "unlike"]
    first = table.since(0, limit=1)[0]
    assert (first.campaign_id, first.detail, first.announced_at) == (one.campaign_id, {"round": 3}, NOW)
    assert [entry.sentence for entry in table.since(first.announcement_id)] == ["of another", "unlike"]
    newest = table.newest(one.campaign_id, "round_failed")
    assert newest == first
    assert table.newest(other.campaign_id, "drift") is None


def test_announcing_wakes_those_who_wait_for_changes(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign()
    before = label_store.changes.total
    label_store.announcements.add(campaign, "drift", "a", "unlike", NOW, {})
    assert label_store.changes.total == before + 1
    label_store.announcements.add(campaign, "drift", "a", "unlike", NOW, {})
    assert label_store.changes.total == before + 1
