"""Which labels judge which answers."""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import Challenger
from al_loop.domain.labels import LabelInput
from al_loop.domain.predictions import ShadowAnswer
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW

CHALLENGER = Challenger(version="v2", round_number=2, mode="shadow", since=NOW, state="waiting", reason="better")
LATER = NOW + timedelta(hours=1)


def answer(store: LabelStore, campaign: Campaign, sample_id: int, champion: str = "v1", share: float = 0.5) -> None:
    pixels = f"hash-{sample_id}"
    store.samples.set_pixel_hashes(campaign.campaign_id, [(sample_id, pixels, 1)])
    store.shadow_answers.record(
        [
            ShadowAnswer(
                campaign_id=campaign.campaign_id, pixel_hash=pixels, task="classification", champion=champion,
                challenger="v2", champion_answer={"probabilities": [share]}, challenger_answer={}, champion_mask=None,
                challenger_mask=None, blind=False, answered_at=NOW + timedelta(seconds=share),
            )
        ]
    )  # fmt: skip


def name(store: LabelStore, campaign: Campaign, sample_id: int, given: str, at: datetime) -> int:
    made = LabelInput(sample_id=sample_id, task="classification", annotator="ann", classes=[given])
    (stored,) = record_labels(store, campaign, [made], at)
    return stored.label_id


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign(samples=4)


def judged(store: LabelStore, campaign: Campaign, challenger: Challenger = CHALLENGER) -> list[tuple[int, list[str]]]:
    pairs = store.shadow_answers.judged(campaign.campaign_id, "v1", challenger, 100)
    return [(label.sample_id, label.classes or []) for label, _ in pairs]


def test_label_that_came_after_the_shadow_began_judges(label_store: LabelStore, campaign: Campaign) -> None:
    first, second, third, _ = sorted(label_store.samples.paths(campaign.campaign_id)[0].tolist())
    for sample_id in (first, second):
        answer(label_store, campaign, sample_id)
    name(label_store, campaign, first, "water", NOW - timedelta(hours=1))  # before
    name(label_store, campaign, second, "forest", LATER)
    name(label_store, campaign, third, "urban", LATER)  # nobody answered it
    assert judged(label_store, campaign) == [(second, ["forest"])]
    name(label_store, campaign, second, "water", LATER)
    assert judged(label_store, campaign) == [(second, ["water"])], "the label that counts now"


def test_sample_that_the_challenger_was_trained_on_does_not_judge(label_store: LabelStore, campaign: Campaign) -> None:
    first, second, *_ = sorted(label_store.samples.paths(campaign.campaign_id)[0].tolist())
    for sample_id in (first, second):
        answer(label_store, campaign, sample_id)
    known = name(label_store, campaign, first, "water", NOW - timedelta(hours=1))
    for sample_id in (first, second):
        name(label_store, campaign, sample_id, "forest", LATER)
    trained = msgspec.structs.replace(CHALLENGER, label_event_id=known)
    assert judged(label_store, campaign, trained) == [(second, ["forest"])]


def test_newest_answer_of_the_present_champion_counts(label_store: LabelStore, campaign: Campaign) -> None:
    first, *_ = sorted(label_store.samples.paths(campaign.campaign_id)[0].tolist())
    answer(label_store, campaign, first, champion="v0")
    name(label_store, campaign, first, "water", LATER)
    assert judged(label_store, campaign) == []
    for share in (0.1, 0.3, 0.2):
        answer(label_store, campaign, first, share=share)
    ((_, found),) = label_store.shadow_answers.judged(campaign.campaign_id, "v1", CHALLENGER, 100)
    assert found.champion_answer == {"probabilities": [0.3]}
    assert label_store.shadow_answers.count(campaign.campaign_id, "v1", "v2") == 1
