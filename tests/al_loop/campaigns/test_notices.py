"""What an operator is told of a campaign, from a real store."""

from collections.abc import Callable
from typing import NoReturn

import pytest

from al_loop.campaigns.notices import campaign_notices, named
from al_loop.domain.campaigns import Campaign
from al_loop.domain.queries import SKIPS_TO_GIVE_UP
from al_loop.store import LabelStore
from al_loop.store.database import Database
from tests.al_loop.store.fixtures import NOW


def test_campaign_in_order_has_no_notices(label_store: LabelStore, make_campaign: Callable[..., Campaign]) -> None:
    assert campaign_notices(label_store, make_campaign(samples=3)) == []


def test_notices_of_an_unchanged_campaign_ask_the_store_nothing(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(samples=3)
    campaign_notices(label_store, campaign)

    def refuse(*_: object, **__: object) -> NoReturn:
        pytest.fail("a query")

    monkeypatch.setattr(Database, "read", refuse)
    assert campaign_notices(label_store, campaign) == []


def test_notice_names_the_samples_that_were_given_up(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign = make_campaign(samples=3)
    for person in range(SKIPS_TO_GIVE_UP):
        label_store.leases.skip(campaign.campaign_id, f"ann {person}", [2], "cloud", NOW)
    assert campaign_notices(label_store, campaign) == [
        "skipped by 3 annotators and offered no more; label or look at them yourself: img_00001.png (cloud)"
    ]


def test_long_lists_name_the_first_and_count_the_rest() -> None:
    assert named(["a", "b", "c"], most=2) == "a, b and 1 more"
    assert named(["a", "b"], most=2) == "a, b"
