from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from al_loop.lease_records import Lease
from al_loop.records import Campaign, LabelInput
from al_loop.store import LabelStore
from tests.fixtures_store import NOW

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign(samples=40)


def ask(
    store: LabelStore, campaign: Campaign, annotator: str, picks: list[int], size: int = 100, shared: bool = False
) -> list[Lease]:
    return store.queries.open(
        campaign.campaign_id, annotator=annotator, strategy='{"type":"random"}', query_size=size, version="v1",
        picks=[(sample_id, 0.5, "random") for sample_id in picks], lease_s=60, now=NOW, shared=shared,
    )[1]  # fmt: skip


def samples_of(leases: list[Lease]) -> list[int]:
    return [lease.sample_id for lease in leases]


def test_leases_follow_the_order_of_the_picks_up_to_the_size(label_store: LabelStore, campaign: Campaign) -> None:
    leases = ask(label_store, campaign, "ann", [9, 3, 7, 1], size=3)
    assert samples_of(leases) == [9, 3, 7]
    assert {lease.expires_at for lease in leases} == {NOW + timedelta(seconds=60)}
    assert label_store.queries.leases(campaign.campaign_id, NOW, annotator="ann") == leases


def test_spare_picks_replace_those_taken_meanwhile(label_store: LabelStore, campaign: Campaign) -> None:
    ask(label_store, campaign, "ann", [1, 2])
    answer = LabelInput(sample_id=3, task="classification", annotator="bob", classes=[])
    label_store.labels.record(campaign, [answer], NOW)
    assert samples_of(ask(label_store, campaign, "bob", [1, 2, 3, 4, 4, 999, 5, 6], size=2)) == [4, 5]


def test_shared_query_grants_what_others_hold_but_not_twice_to_one(label_store: LabelStore, campaign: Campaign) -> None:
    ask(label_store, campaign, "ann", [1, 2])
    assert samples_of(ask(label_store, campaign, "bob", [1, 2], shared=True)) == [1, 2]
    assert ask(label_store, campaign, "bob", [1, 2], shared=True) == []


def test_exhausted_pool_opens_an_empty_query(label_store: LabelStore, campaign: Campaign) -> None:
    assert ask(label_store, campaign, "ann", []) == []


def test_expired_lease_frees_the_sample(label_store: LabelStore, campaign: Campaign) -> None:
    ask(label_store, campaign, "ann", [1])
    before, after = NOW + timedelta(seconds=59), NOW + timedelta(seconds=60)
    number = campaign.campaign_id
    assert label_store.queries.leased_samples(number, before).tolist() == [1]
    assert label_store.queries.leased_samples(number, before, exclude_annotator="ann").tolist() == []
    assert label_store.queries.leased_samples(number, after).tolist() == []
    assert 1 in label_store.queries.available(number, after)[0]


def test_release_touches_the_own_leases_only(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    ask(label_store, campaign, "ann", [1, 2])
    ask(label_store, campaign, "bob", [3])
    assert label_store.queries.release(number, "ann", [1, 3, 9], NOW) == 1
    assert label_store.queries.leased_samples(number, NOW).tolist() == [2, 3]


def test_available_tells_pool_from_reserve(label_store: LabelStore, campaign: Campaign) -> None:
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    pool, reserve = label_store.queries.available(campaign.campaign_id, NOW)
    assert (len(pool), len(reserve)) == (20, 20)
    assert sorted([*pool, *reserve]) == list(range(1, 41))
    taken = [int(pool[0]), int(reserve[0])]
    ask(label_store, campaign, "ann", taken)
    left_pool, left_reserve = label_store.queries.available(campaign.campaign_id, NOW)
    assert (left_pool.tolist(), left_reserve.tolist()) == (pool[1:].tolist(), reserve[1:].tolist())


def test_concurrent_queries_never_lease_a_sample_twice(label_store: LabelStore, campaign: Campaign) -> None:
    everything = list(range(1, 41))
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(ask, label_store, campaign, f"ann {n}", everything, 7) for n in range(8)]
        granted = [sample_id for future in futures for sample_id in samples_of(future.result())]
    assert sorted(granted) == everything
