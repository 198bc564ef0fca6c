"""Leases of second looks: never two at once, known to later queries, passed over when the label changed."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.domain.queries import Pick
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW, ONE_TASK

LATE = NOW + timedelta(seconds=120)


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign(samples=6, tasks=ONE_TASK)


def answer(
    store: LabelStore, campaign: Campaign, sample_id: int, annotator: str, name: str = "forest", now: datetime = NOW
) -> int:
    label = LabelInput(sample_id=sample_id, task="classification", annotator=annotator, classes=[name])
    return record_labels(store, campaign, [label], now)[0].label_id


def second_look(
    store: LabelStore, campaign: Campaign, annotator: str, candidates: Sequence[tuple[int, int]], now: datetime = NOW
) -> list[Pick]:
    opened = store.relabels.open(
        campaign.campaign_id, annotator=annotator, query_size=2, version="v1", candidates=candidates,
        reasons={sample_id: "second look" for sample_id, _ in candidates},
        lease_s=60, now=now,
    )  # fmt: skip
    return [] if opened is None else opened.picks


def test_candidates_are_leased_in_order_and_again_when_they_lapsed(label_store: LabelStore, campaign: Campaign) -> None:
    label_store.queries.available(campaign.campaign_id, NOW)
    candidates = [(sample_id, answer(label_store, campaign, sample_id, "ann")) for sample_id in (4, 2, 5)]
    assert [lease.sample_id for lease in second_look(label_store, campaign, "bob", candidates)] == [4, 2]
    assert [lease.sample_id for lease in second_look(label_store, campaign, "cleo", candidates)] == [5]
    assert second_look(label_store, campaign, "dan", candidates) == []
    assert [lease.sample_id for lease in second_look(label_store, campaign, "dan", candidates, LATE)] == [4, 2]
    held = label_store.leases.held(campaign.campaign_id, "dan", LATE)
    assert [(lease.sample_id, lease.state, lease.reason) for lease in held] == [
        (4, "open", "second look"),
        (2, "open", "second look"),
    ]


def test_label_that_was_replaced_or_is_unknown_is_passed_over(label_store: LabelStore, campaign: Campaign) -> None:
    old = answer(label_store, campaign, 1, "ann")
    answer(label_store, campaign, 1, "ann", "water")
    assert second_look(label_store, campaign, "bob", [(1, old), (3, 999)]) == []


def test_second_look_settles_for_its_version_only(label_store: LabelStore, campaign: Campaign) -> None:
    first = answer(label_store, campaign, 1, "ann")
    other = answer(label_store, campaign, 2, "ann")
    second_look(label_store, campaign, "bob", [(1, first), (2, other)])
    number = campaign.campaign_id
    assert label_store.relabels.settled(number, "v1") == set()
    later = NOW + timedelta(seconds=1)
    confirmed = answer(label_store, campaign, 1, "bob", now=later)
    changed = answer(label_store, campaign, 2, "bob", "water", now=later)
    assert label_store.relabels.settled(number, "v1") == {(1, "classification")}
    assert label_store.relabels.settled(number, "v2") == set()
    assert label_store.relabels.second_looks(number) == {confirmed, changed}
    answer(label_store, campaign, 2, "cleo", "water", now=LATE)
    assert label_store.relabels.settled(number, "v1") == {(1, "classification"), (2, "classification")}
