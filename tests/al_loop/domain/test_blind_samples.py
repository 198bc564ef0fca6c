from collections.abc import Callable

import msgspec
import pytest

from al_loop.domain.blind_samples import drawn
from al_loop.domain.campaigns import AssistSettings, Campaign, CampaignSettings
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, ONE_TASK

MakeCampaign = Callable[..., Campaign]


def with_share(share: float) -> CampaignSettings:
    return CampaignSettings(assist=AssistSettings(blind_share=share))


def test_share_of_samples_is_drawn_and_stays_the_same(make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(settings=with_share(0.3))
    ids = list(range(1, 10_001))
    chosen = drawn(campaign, ids)
    assert len(chosen) == pytest.approx(3000, abs=200)
    assert drawn(campaign, ids[::-1]) == chosen
    assert chosen < drawn(msgspec.structs.replace(campaign, settings=with_share(0.6)), ids)
    assert drawn(make_campaign("other", settings=with_share(0.3)), ids) != chosen
    assert drawn(msgspec.structs.replace(campaign, settings=with_share(0.0)), ids) == set()
    assert drawn(msgspec.structs.replace(campaign, settings=with_share(1.0)), ids) == set(ids)


def test_share_is_independent_of_the_reserve(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=2000, settings=with_share(0.2), tasks=ONE_TASK)
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    pool, reserve = label_store.queries.available(campaign.campaign_id, NOW)
    for side in (pool, reserve):
        assert len(drawn(campaign, side.tolist())) / len(side) == pytest.approx(0.2, abs=0.05)
