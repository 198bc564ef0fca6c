from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput, RequestKey
from al_loop.errors import KeyReusedError, RepeatedRequestError
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign(samples=6)


def key_of(campaign: Campaign, key: str = "k1", *, annotator: str = "ann", digest: str = "same") -> RequestKey:
    return RequestKey(campaign_id=campaign.campaign_id, annotator=annotator, key=key, digest=digest, at=NOW)


def label(store: LabelStore, campaign: Campaign, request: RequestKey, sample_id: int = 1) -> list[int]:
    answer = LabelInput(sample_id=sample_id, task="classification", annotator="ann", classes=["forest"])

    def record() -> list[int]:
        return [stored.label_id for stored in record_labels(store, campaign, [answer], NOW, request=request)]

    return store.requests.once(request, list[int], record)


def test_repeat_answers_as_before_and_labels_nothing_again(label_store: LabelStore, campaign: Campaign) -> None:
    first = label(label_store, campaign, key_of(campaign))
    assert label(label_store, campaign, key_of(campaign)) == first
    assert len(label_store.labels.history(campaign.campaign_id, 1)) == 1
    assert label(label_store, campaign, key_of(campaign, "k2")) != first
    assert label(label_store, campaign, key_of(campaign, annotator="bob")) != first


def test_key_of_another_request_is_refused(label_store: LabelStore, campaign: Campaign) -> None:
    label(label_store, campaign, key_of(campaign))
    with pytest.raises(KeyReusedError, match="was used for another request"):
        label(label_store, campaign, key_of(campaign, digest="other"), sample_id=2)
    assert label_store.labels.history(campaign.campaign_id, 2) == []


def test_request_that_comes_in_many_times_at_once_is_carried_out_once(
    label_store: LabelStore, campaign: Campaign
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: label(label_store, campaign, key_of(campaign)), range(24)))
    assert len({tuple(answer) for answer in answers}) == 1
    assert len(label_store.labels.history(campaign.campaign_id, 1)) == 1


def test_verb_itself_refuses_a_second_time_so_that_no_gap_is_left(label_store: LabelStore, campaign: Campaign) -> None:
    def skip() -> int:
        return label_store.leases.skip(campaign.campaign_id, "ann", [1], "cloud", NOW, request=key_of(campaign))

    assert skip() == 1
    with pytest.raises(RepeatedRequestError):
        skip()


def test_answer_is_known_after_a_restart(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> None:
    first = label(label_store, campaign, key_of(campaign))
    label_store.close()
    reopened = LabelStore.open(tmp_path / "store" / "al_loop.duckdb")
    try:
        assert label(reopened, campaign, key_of(campaign)) == first
    finally:
        reopened.close()


def test_old_answers_are_forgotten(label_store: LabelStore, campaign: Campaign) -> None:
    first = label(label_store, campaign, key_of(campaign))
    label_store.requests.prune(NOW + timedelta(days=6))
    assert label(label_store, campaign, key_of(campaign)) == first
    label_store.requests.prune(NOW + timedelta(days=8))
    assert label(label_store, campaign, key_of(campaign)) != first
