"""How far it is to the next round, from a real store."""

from collections.abc import Callable

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings, RetrainPolicy
from al_loop.domain.labels import LabelInput
from al_loop.errors import StoreFullError
from al_loop.store import LabelStore
from al_loop.training.outlook import RoundOutlook
from tests.al_loop.store.fixtures import NOW

MakeCampaign = Callable[..., Campaign]


def test_sentence_follows_labels_and_policy_and_asking_draws_no_reserve(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    settings = CampaignSettings(reserve=ReserveSettings(share=0.0, minimum=0))
    policy = RetrainPolicy(new_labels=5, min_labels=2, min_reserve_labels=2)
    campaign = make_campaign(samples=20, settings=settings, policy=policy)
    outlook = RoundOutlook(label_store, lambda: NOW)
    assert outlook.of(campaign).sentence == "0 of 5 new labels until the next round"
    name = campaign.tasks[0].classes[0]
    given = LabelInput(path="img_00000.png", task=campaign.tasks[0].task, annotator="ann", classes=[name])
    record_labels(label_store, campaign, [given], NOW)
    assert "1 of 5 new labels" in outlook.of(campaign).sentence
    label_store.campaigns.set_policy(campaign.campaign_id, RetrainPolicy(new_labels=9))
    assert "1 of 9 new labels" in outlook.of(label_store.campaigns.get("demo")).sentence


def test_round_of_a_campaign_with_few_images_starts_once_all_are_labelled(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    settings = CampaignSettings(reserve=ReserveSettings(share=0.5, minimum=0, block_by="sample"))
    policy = RetrainPolicy(new_labels=50, min_labels=2, min_reserve_labels=2)
    campaign = make_campaign(samples=20, settings=settings, policy=policy)
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    task, classes = campaign.tasks[0].task, campaign.tasks[0].classes
    outlook = RoundOutlook(label_store, lambda: NOW)
    outside = 20 - label_store.campaigns.counts(campaign.campaign_id, NOW).reserve
    said = []
    for number in range(20):
        given = LabelInput(path=f"img_{number:05d}.png", task=task, annotator="ann", classes=[classes[number % 2]])
        record_labels(label_store, campaign, [given], NOW)
        answer = outlook.of(campaign)
        said.append((answer.new_labels, answer.needed))
    assert {needed for _, needed in said} == {outside}
    assert said[-1] == (outside, outside)
    assert "new labels: the next round starts" in outlook.of(campaign).sentence


def test_operators_are_told_at_once_that_images_are_too_few_for_a_round(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign(samples=6)
    outlook = RoundOutlook(label_store, lambda: NOW)
    said = outlook.of(campaign).sentence
    assert said.startswith("a round needs 15 labelled samples, and the campaign has 6;")
    assert "new labels until" not in said  # no number of labels leads to a round
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    said = outlook.of(campaign).sentence
    assert said.startswith("the test reserve holds 3 samples, a round needs 5 labelled ones;")
    assert "new labels until" not in said


def test_full_disk_before_the_reserve_is_drawn_is_told_only_while_it_is_full(
    label_store: LabelStore, make_campaign: MakeCampaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make_campaign(samples=20, policy=RetrainPolicy(new_labels=15))
    spec = campaign.tasks[0]
    given = LabelInput(path="img_00000.png", task=spec.task, annotator="ann", classes=[spec.classes[0]])
    record_labels(label_store, campaign, [given], NOW)
    outlook = RoundOutlook(label_store, lambda: NOW)
    with monkeypatch.context() as full:

        def refuse(*_: object) -> int:
            raise StoreFullError("no space left on device")

        full.setattr(label_store.samples, "draw_reserve", refuse)
        assert "cannot be drawn, as the data directory's disk is full" in outlook.of(campaign).sentence
    assert "full" not in outlook.of(campaign).sentence


def test_labels_that_came_before_the_reserve_was_drawn_count_only_outside_of_it(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    settings = CampaignSettings(reserve=ReserveSettings(share=0.5, minimum=0, block_by="sample"))
    campaign = make_campaign(samples=20, settings=settings, policy=RetrainPolicy(new_labels=15))
    task, name = campaign.tasks[0].task, campaign.tasks[0].classes[0]
    given = [LabelInput(path=f"img_{n:05d}.png", task=task, annotator="ann", classes=[name]) for n in range(20)]
    record_labels(label_store, campaign, given, NOW)
    sentence = RoundOutlook(label_store, lambda: NOW).of(campaign).sentence
    reserve = label_store.campaigns.counts(campaign.campaign_id, NOW).reserve
    assert reserve > 0
    assert f"{20 - reserve} of 15 new labels" in sentence or f"{20 - reserve} new labels" in sentence
