from collections.abc import Callable
from datetime import timedelta

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import OpenedQuery
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, open_query

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign(samples=40)


def ask(store: LabelStore, campaign: Campaign, annotator: str, picks: list[int]) -> OpenedQuery:
    return open_query(store, campaign.campaign_id, annotator, picks)


def test_leases_follow_the_order_of_the_picks(label_store: LabelStore, campaign: Campaign) -> None:
    opened = ask(label_store, campaign, "ann", [9, 3, 7])
    leases = label_store.queries.leases(campaign.campaign_id, NOW, annotator="ann")
    assert [lease.sample_id for lease in leases] == [9, 3, 7]
    assert {lease.expires_at for lease in leases} == {opened.expires_at} == {NOW + timedelta(seconds=60)}
    assert {lease.query_id for lease in leases} == {opened.query_id}


def test_expired_lease_frees_the_sample(label_store: LabelStore, campaign: Campaign) -> None:
    ask(label_store, campaign, "ann", [1])
    before, after = NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)
    number = campaign.campaign_id
    assert [lease.sample_id for lease in label_store.queries.leases(number, before)] == [1]
    assert label_store.queries.leases(number, before, annotator="bob") == []
    assert label_store.queries.leases(number, after) == []
    assert 1 in label_store.queries.available(number, after)[0]


def test_release_touches_the_own_leases_only(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    ask(label_store, campaign, "ann", [1, 2])
    ask(label_store, campaign, "bob", [3])
    assert label_store.queries.release(number, "ann", [1, 3, 9], NOW) == 1
    assert [lease.sample_id for lease in label_store.queries.leases(number, NOW)] == [2, 3]


def test_available_tells_pool_from_reserve(label_store: LabelStore, campaign: Campaign) -> None:
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    pool, reserve = label_store.queries.available(campaign.campaign_id, NOW)
    assert (len(pool), len(reserve)) == (20, 20)
    assert sorted([*pool, *reserve]) == list(range(1, 41))
    taken = [int(pool[0]), int(reserve[0])]
    ask(label_store, campaign, "ann", taken)
    left_pool, left_reserve = label_store.queries.available(campaign.campaign_id, NOW)
    assert (left_pool.tolist(), left_reserve.tolist()) == (pool[1:].tolist(), reserve[1:].tolist())
