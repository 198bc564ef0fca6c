from collections.abc import Callable

import msgspec
import pytest

from al_loop.domain.campaigns import AssistSettings, Campaign, CampaignSettings, ReserveSettings
from al_loop.domain.queries import Pick
from al_loop.domain.scaneo_links import Link, LinkOptions
from al_loop.errors import WithheldError
from al_loop.serving.withheld import UnaidedSamples
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, ONE_TASK, open_query

MakeCampaign = Callable[..., Campaign]
NO_RESERVE = ReserveSettings(share=0.0, minimum=0)


def with_share(share: float, **changes: ReserveSettings) -> CampaignSettings:
    return CampaignSettings(assist=AssistSettings(blind_share=share), **changes)


def test_all_of_the_reserve_and_of_the_gold_standard_is_answered_unaided(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign(samples=100, settings=with_share(0.0), tasks=ONE_TASK)
    number, unaided = campaign.campaign_id, UnaidedSamples(label_store, lambda: NOW)
    label_store.samples.draw_reserve(number, NOW)
    pool, reserve = label_store.queries.available(number, NOW)
    assert unaided.among(campaign, [*pool.tolist(), *reserve.tolist()]) == set(reserve.tolist())
    with pytest.raises(WithheldError):
        unaided.check(campaign, int(reserve[0]))
    unaided.check(campaign, int(pool[0]))
    path = label_store.samples.get(number, int(pool[0])).path
    golden = msgspec.structs.replace(campaign.settings.query, golden=(path,))
    label_store.campaigns.set_settings(number, msgspec.structs.replace(campaign.settings, query=golden))
    assert unaided.among(campaign, pool.tolist()) == {int(pool[0])}


def test_missing_suggestion_at_most_doubles_the_odds_of_the_reserve_and_four_of_ten_samples_have_one(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign(samples=2000, settings=CampaignSettings(), tasks=ONE_TASK)
    number = campaign.campaign_id
    label_store.samples.draw_reserve(number, NOW)
    pool, reserve = (set(ids.tolist()) for ids in label_store.queries.available(number, NOW))
    unaided = UnaidedSamples(label_store, lambda: NOW).among(campaign, [*pool, *reserve])
    assert reserve < unaided
    odds, odds_without = len(reserve) / len(pool), len(reserve) / len(unaided & pool)
    assert odds_without / odds == pytest.approx(2, abs=0.15)
    assert len(unaided & pool) > 1.8 * len(reserve), "most samples without a suggestion are ordinary ones"
    assert len(pool - unaided) / 2000 == pytest.approx(0.4, abs=0.03)


def test_sample_is_answered_unaided_while_it_is_re_annotated(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign(samples=4, settings=with_share(0.0, reserve=NO_RESERVE), tasks=ONE_TASK)
    unaided = UnaidedSamples(label_store, lambda: NOW)
    open_query(label_store, campaign.campaign_id, "bob", [Pick(2, None, "", "relabel"), Pick(3, None, "", "strategy")])
    assert unaided.among(campaign, [1, 2, 3, 4]) == {2}
    label_store.queries.release(campaign.campaign_id, "bob", [2], NOW)
    assert unaided.among(campaign, [1, 2, 3, 4]) == set()


def test_image_is_recognised_as_that_of_a_sample(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=100, settings=with_share(0.0), tasks=ONE_TASK)
    number, unaided = campaign.campaign_id, UnaidedSamples(label_store, lambda: NOW)
    label_store.samples.draw_reserve(number, NOW)
    pool, reserve = (int(ids[0]) for ids in label_store.queries.available(number, NOW))
    label_store.samples.set_pixel_hashes(number, [(reserve, "of-the-reserve", 1), (pool, "of-the-pool", 1)])
    assert not unaided.has_image(campaign, "of-the-reserve"), "what is shown comes back as no label without a link"
    link = Link(
        campaign_id=number, url="http://localhost:1", scaneo_campaign="main", scaneo_name="Main",
        options=LinkOptions(service_url="http://localhost:8090"), models={}, prefix="", zone_offset_s=0,
        linked_at=NOW, signal=None, swept_at=None,
    )  # fmt: skip
    label_store.scaneo.save(link, [])
    assert unaided.has_image(campaign, "of-the-reserve")
    assert not unaided.has_image(campaign, "of-the-pool")
    assert not unaided.has_image(campaign, "of-nobody")
