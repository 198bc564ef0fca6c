from collections.abc import Callable

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.errors import NotFoundError
from al_loop.store import LabelStore

MakeCampaign = Callable[..., Campaign]


def test_deletion_takes_one_campaign_and_leaves_the_others(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    gone, kept = make_campaign("gone", samples=3), make_campaign("kept", samples=2)
    assert label_store.removals.count(gone.campaign_id).samples == 3
    assert label_store.removals.delete(gone.campaign_id) == "gone"
    assert label_store.campaigns.list() == [kept]
    assert label_store.removals.count(gone.campaign_id).samples == 0
    assert label_store.removals.count(kept.campaign_id).samples == 2
    assert label_store.removals.directories() == ["gone"]
    with pytest.raises(NotFoundError):
        label_store.removals.delete(gone.campaign_id)
    label_store.removals.forget_directory("gone")
    assert label_store.removals.directories() == []


def test_renamed_campaign_keeps_its_directory_and_nobody_else_gets_it(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    first = make_campaign("demo")
    label_store.campaigns.rename(first.campaign_id, "fields")
    second = make_campaign("demo")
    assert label_store.campaigns.get("fields").folder == "demo"
    assert second.folder == f"demo.{second.campaign_id}"
    label_store.campaigns.rename(first.campaign_id, "fields")
    assert label_store.campaigns.get("fields").folder == "demo"
