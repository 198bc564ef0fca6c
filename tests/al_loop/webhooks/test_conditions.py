"""A pool without samples and a link that is down are told once, when they begin."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings
from al_loop.domain.webhooks import SUBSCRIBABLE, EventKind
from al_loop.scaneo.links import ScaneoLinks
from al_loop.store import LabelStore
from al_loop.webhooks.conditions import ConditionWatch
from tests.al_loop.store.fixtures import NOW, every_answer, open_query

Make = Callable[..., Campaign]


@pytest.fixture
def hook(label_store: LabelStore) -> int:
    return label_store.webhooks.add("https://example.org/h", SUBSCRIBABLE, None, "whsec_AAAA", NOW).webhook_id


def told(store: LabelStore, hook: int) -> list[str]:
    return [entry.kind for entry in store.deliveries.page(hook, limit=99)]


def test_pool_is_exhausted_when_nothing_is_left_to_offer(
    label_store: LabelStore, make_campaign: Make, hook: int
) -> None:
    campaign = make_campaign("demo", samples=2)
    links = cast(ScaneoLinks, SimpleNamespace(working=dict))
    watch = ConditionWatch(label_store, links, lambda: NOW)
    record_labels(label_store, campaign, every_answer(campaign, 1, "ann", "forest"), NOW)
    watch.look_at_pool(campaign)
    assert told(label_store, hook) == []
    open_query(label_store, campaign.campaign_id, "ann", [2])
    watch.look_at_pool(campaign)
    assert told(label_store, hook) == []  # it is leased: it may come back
    record_labels(label_store, campaign, every_answer(campaign, 2, "ann", "forest"), NOW)
    for _ in range(2):
        watch.look_at_pool(campaign)
    assert told(label_store, hook) == ["pool.exhausted"]


def test_samples_that_nobody_can_tell_do_not_keep_a_pool_from_being_exhausted(
    label_store: LabelStore, make_campaign: Make, hook: int
) -> None:
    campaign = make_campaign("demo", samples=2)
    watch = ConditionWatch(label_store, cast(ScaneoLinks, SimpleNamespace(working=dict)), lambda: NOW)
    record_labels(label_store, campaign, every_answer(campaign, 1, "ann", "forest"), NOW)
    for annotator in ("ann", "bob"):
        label_store.leases.skip(campaign.campaign_id, annotator, [2], "cloud", NOW)
    watch.look_at_pool(campaign)
    assert told(label_store, hook) == []
    label_store.leases.skip(campaign.campaign_id, "cleo", [2], "cloud", NOW)
    watch.look_at_pool(campaign)
    assert told(label_store, hook) == ["pool.exhausted"]


def test_pool_is_not_exhausted_while_the_reserve_is_to_be_labelled(
    label_store: LabelStore, make_campaign: Make, hook: int
) -> None:
    half = CampaignSettings(reserve=ReserveSettings(share=0.5, minimum=2))
    campaign = make_campaign("demo", samples=4, settings=half)
    watch = ConditionWatch(label_store, cast(ScaneoLinks, SimpleNamespace(working=dict)), lambda: NOW)
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    last = [number for number in (1, 2, 3, 4) if label_store.samples.get(campaign.campaign_id, number).reserve][-1]
    for number in {1, 2, 3, 4} - {last}:
        record_labels(label_store, campaign, every_answer(campaign, number, "ann", "forest"), NOW)
    assert label_store.campaigns.counts(campaign.campaign_id, NOW).pool == 0
    watch.look_at_pool(campaign)
    assert told(label_store, hook) == []
    record_labels(label_store, campaign, every_answer(campaign, last, "ann", "forest"), NOW)
    watch.look_at_pool(campaign)
    assert told(label_store, hook) == ["pool.exhausted"]


def test_campaign_without_samples_is_not_exhausted(label_store: LabelStore, make_campaign: Make, hook: int) -> None:
    links = cast(ScaneoLinks, SimpleNamespace(working=dict))
    ConditionWatch(label_store, links, lambda: NOW).look_at_pool(make_campaign("demo"))
    assert told(label_store, hook) == []


def test_link_is_lost_after_a_minute_of_trouble(label_store: LabelStore, make_campaign: Make, hook: int) -> None:
    campaign_id = make_campaign("demo").campaign_id
    state: dict[str, Any] = {"works": True, "now": NOW}
    links = SimpleNamespace(
        working=lambda: {campaign_id: state["works"]}, notices=lambda campaign: [f"{campaign.name}: no answer"]
    )
    watch = ConditionWatch(label_store, cast(ScaneoLinks, links), lambda: state["now"])
    seen = []
    for works, seconds in ((True, 0), (False, 10), (False, 60), (False, 75), (False, 90), (True, 100), (False, 110)):
        state["works"], state["now"] = works, NOW + timedelta(seconds=seconds)
        watch.look_at_links()
        seen.append(len(told(label_store, hook)))
    assert seen == [0, 0, 0, 1, 1, 1, 1]
    (delivery,) = label_store.deliveries.due(state["now"], 9)
    assert '"problem":"demo: no answer"' in delivery.body
    assert label_store.events.holding(EventKind.LINK_LOST) == {}
