"""Comparisons in the store: numbered, one at a time, with their outcome as it was measured."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.comparisons import ComparisonRequest, ComparisonState
from al_loop.errors import ConflictError
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.training.comparison.results import RESULT

MakeCampaign = Callable[..., Campaign]
ASKED = ComparisonRequest(tasks=["classification", "segmentation"], seeds=2, candidates="quick", max_steps=7)


@pytest.fixture
def number(make_campaign: MakeCampaign) -> int:
    return make_campaign().campaign_id


def test_second_one_waits_for_the_end_of_the_first(label_store: LabelStore, number: int) -> None:
    first = label_store.comparisons.create(number, ASKED, NOW)
    assert (first.number, first.state, first.request, first.result) == (1, ComparisonState.QUEUED, ASKED, None)
    with pytest.raises(ConflictError, match="comparison 1 of campaign 'demo' is queued; wait for its end, or cancel"):
        label_store.comparisons.create(number, ASKED, NOW)
    label_store.comparisons.set_state(number, 1, ComparisonState.CANCELLED, NOW)
    assert label_store.comparisons.create(number, ASKED, NOW).number == 2


def test_campaigns_do_not_wait_for_each_other(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    one, other = make_campaign("one").campaign_id, make_campaign("other").campaign_id
    assert [label_store.comparisons.create(campaign, ASKED, NOW).number for campaign in (one, other)] == [1, 1]


def test_outcome_comes_back_as_it_was_measured(label_store: LabelStore, number: int) -> None:
    label_store.comparisons.create(number, ASKED, NOW)
    later = NOW + timedelta(minutes=5)
    label_store.comparisons.set_state(number, 1, ComparisonState.TRAINING, NOW)
    ended = label_store.comparisons.set_state(number, 1, ComparisonState.FINISHED, later, result=RESULT)
    assert (ended.result, ended.started_at, ended.ended_at) == (RESULT, NOW, later)
    assert label_store.comparisons.list(number) == [ended]
    with pytest.raises(ConflictError, match="comparison 1 is finished and stays so"):
        label_store.comparisons.set_state(number, 1, ComparisonState.FAILED, later, error="too late")
