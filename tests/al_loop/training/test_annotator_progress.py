import math
from collections.abc import Callable
from datetime import timedelta

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.domain.rounds import AnnotatorProgress
from al_loop.store import LabelStore
from al_loop.training.annotator_progress import annotator_progress
from tests.al_loop.store.fixtures import CLASSES, NOW, ONE_TASK, open_query

POLICY = RetrainPolicy(new_labels=8, min_labels=4, min_reserve_labels=2)


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign(samples=100, tasks=ONE_TASK, policy=POLICY)


def label(store: LabelStore, campaign: Campaign, sample_id: int, annotator: str = "ann") -> None:
    name = CLASSES[sample_id % 3]
    answer = LabelInput(sample_id=sample_id, task="classification", annotator=annotator, classes=[name])
    record_labels(store, campaign, [answer], NOW)


def progress(store: LabelStore, campaign: Campaign) -> AnnotatorProgress:
    return annotator_progress(store, campaign, "ann", NOW, since=NOW - timedelta(hours=1))


def sides(store: LabelStore, campaign: Campaign) -> tuple[list[int], list[int]]:
    store.samples.draw_reserve(campaign.campaign_id, NOW)
    pool, reserve = store.queries.available(campaign.campaign_id, NOW)
    return pool.tolist(), reserve.tolist()


def test_answers_are_counted_for_everybody_and_for_one(label_store: LabelStore, campaign: Campaign) -> None:
    pool, reserve = sides(label_store, campaign)
    open_query(label_store, campaign.campaign_id, "ann", pool[:3])
    label(label_store, campaign, pool[0])
    label(label_store, campaign, reserve[0])
    label(label_store, campaign, pool[5], "bob")
    found = progress(label_store, campaign)
    assert (found.answered, found.answered_by_you, found.today_by_you) == (3, 2, 2)
    assert (found.open_for_you, found.left_in_pool, found.model, found.curve) == (2, 97, None, [])
    tomorrow = annotator_progress(label_store, campaign, "ann", NOW, since=NOW + timedelta(hours=1))
    assert (tomorrow.answered_by_you, tomorrow.today_by_you) == (2, 0)


def test_campaign_whose_reserve_nobody_drew_yet_has_not_too_few_images(
    label_store: LabelStore, campaign: Campaign
) -> None:
    assert progress(label_store, campaign).next_round.sentence == "0 of about 12 new labels until the next round"


@pytest.mark.parametrize("side", [0, 1])
def test_answer_of_the_reserve_moves_the_same_figures_as_any_other(
    label_store: LabelStore, campaign: Campaign, side: int
) -> None:
    pool, reserve = sides(label_store, campaign)
    for sample_id in [*pool[:5], *reserve[:4]]:
        label(label_store, campaign, sample_id)
    before = progress(label_store, campaign)
    label(label_store, campaign, (pool, reserve)[side][10])
    after = progress(label_store, campaign)
    assert after.answered == before.answered + 1
    assert (before.next_round.new_labels, after.next_round.new_labels) == (9, 10)


def test_first_round_is_counted_down_without_telling_what_is_for_testing(
    label_store: LabelStore, campaign: Campaign
) -> None:
    pool, reserve = sides(label_store, campaign)
    needed = math.ceil(8 / (len(pool) / 100))
    assert progress(label_store, campaign).next_round.sentence == f"0 of about {needed} new labels until the next round"
    for number, sample_id in enumerate([*pool[:4], *reserve[:2], *pool[4:7]], start=1):
        label(label_store, campaign, sample_id)
        assert progress(label_store, campaign).next_round.new_labels == number
    for sample_id in reserve[2 : 2 + needed]:
        label(label_store, campaign, sample_id)
    found = progress(label_store, campaign).next_round
    assert found.new_labels == needed - 1, "seven of eight for training, whatever was answered of the reserve"
    label(label_store, campaign, pool[7])
    assert progress(label_store, campaign).next_round.new_labels == needed


def test_sentence_says_when_rounds_are_started_by_hand(label_store: LabelStore, campaign: Campaign) -> None:
    by_hand = RetrainPolicy(new_labels=None, min_labels=2, min_reserve_labels=2)
    label_store.campaigns.set_policy(campaign.campaign_id, by_hand)
    changed = label_store.campaigns.get("demo")
    pool, reserve = sides(label_store, changed)
    for sample_id in [*pool[:3], *reserve[:2]]:
        label(label_store, changed, sample_id)
    assert progress(label_store, changed).next_round.sentence == "rounds of this campaign are started by hand"
    label_store.rounds.create(changed.campaign_id, reason="ops", now=NOW)
    assert progress(label_store, changed).next_round.sentence == "round 1 is under way"


def test_campaign_of_too_few_images_says_so_without_the_words_of_its_operator(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    small = make_campaign(samples=4, tasks=ONE_TASK, policy=RetrainPolicy(min_reserve_labels=5))
    told = progress(label_store, small).next_round.sentence
    assert told == "too few images to train on; whoever runs the campaign can add more"
