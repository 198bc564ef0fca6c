from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import (
    Campaign,
    CampaignSettings,
    QuerySettings,
    ReserveSettings,
    RetrainPolicy,
    SpreadSettings,
)
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SampleCounts
from al_loop.errors import DuplicateCampaignError, InvalidValueError, NotFoundError
from al_loop.store import LabelStore
from models.card import TaskSpec
from tests.al_loop.store.fixtures import NOW, ONE_TASK, open_query

MakeCampaign = Callable[..., Campaign]


def test_campaign_reads_back_as_it_was_created(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    settings = CampaignSettings(unlabelled="ignore", lease_s=60, reserve=ReserveSettings(share=0.3, seed=7))
    campaign = make_campaign(bands=[4, 1], settings=settings, policy=RetrainPolicy(new_labels=None, interval_s=30))
    assert campaign == label_store.campaigns.get("demo")
    assert label_store.campaigns.list() == [campaign]
    assert (campaign.bands, campaign.settings, campaign.created_at) == ([4, 1], settings, NOW)
    assert (campaign.source_bands, campaign.current_version) == (None, None)


def test_name_is_taken_once(make_campaign: MakeCampaign) -> None:
    make_campaign("demo")
    with pytest.raises(DuplicateCampaignError, match="'demo' exists already"):
        make_campaign("demo")


def test_unknown_campaign_is_not_found(label_store: LabelStore) -> None:
    with pytest.raises(NotFoundError, match="no campaign 'nope'"):
        label_store.campaigns.get("nope")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": "Demo"}, "$.name"),
        ({"name": "a" * 65}, "$.name"),
        ({"name": "demo\n"}, "$.name"),
        ({"tasks": [TaskSpec(task="classification", classes=["a"])]}, "$.tasks[0].classes"),
        ({"tasks": [TaskSpec(task="segmentation", classes=[f"c{i}" for i in range(255)])]}, "$.tasks[0].classes"),
        ({"tasks": [TaskSpec(task="classification", classes=["a", "b", "a"])]}, "$.tasks[0].classes[2]"),
        ({"tasks": [TaskSpec(task="classification", classes=["a", " "])]}, "$.tasks[0].classes[1]"),
        ({"tasks": [TaskSpec(task="segmentation", classes=["a"])] * 2}, "$.tasks[1].task"),
        ({"bands": []}, "$.bands"),
        ({"bands": [1, 0]}, "$.bands[1]"),
        ({"bands": [2, 2]}, "$.bands[1]"),
        (
            {"settings": CampaignSettings(reserve=ReserveSettings(group_pattern="("))},
            "$.settings.reserve.group_pattern",
        ),
        (
            {"settings": CampaignSettings(query=QuerySettings(spread=SpreadSettings(group_pattern="(")))},
            "$.settings.query.spread.group_pattern",
        ),
        (
            {"settings": CampaignSettings(query=QuerySettings(spread=SpreadSettings(max_per_group=3)))},
            "$.settings.query.spread.max_per_group",
        ),
    ],
)  # fmt: skip
def test_bad_campaign_names_the_field(make_campaign: MakeCampaign, changes: dict[str, object], path: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        make_campaign(**changes)
    assert caught.value.path == path


def test_policy_and_settings_are_replaced(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    label_store.campaigns.set_policy(campaign.campaign_id, RetrainPolicy(new_labels=3))
    label_store.campaigns.set_settings(campaign.campaign_id, CampaignSettings(lease_s=5))
    changed = label_store.campaigns.get("demo")
    assert (changed.policy.new_labels, changed.settings.lease_s) == (3, 5)


def test_new_settings_with_a_bad_spread_name_the_field(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign()
    settings = CampaignSettings(query=QuerySettings(spread=SpreadSettings(group_pattern="[")))
    with pytest.raises(InvalidValueError, match="not a regular expression") as caught:
        label_store.campaigns.set_settings(campaign.campaign_id, settings)
    assert caught.value.path == "$.query.spread.group_pattern"


def test_tasks_and_classes_are_added_and_nothing_else(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    first = TaskSpec(task="classification", classes=["a", "b"])
    campaign = make_campaign(tasks=[first])
    grown = [
        TaskSpec(task="segmentation", classes=["field"]),
        TaskSpec(task="classification", classes=["a", "b", "c"]),
    ]
    label_store.campaigns.set_tasks(campaign.campaign_id, grown)
    assert label_store.campaigns.get("demo").tasks == grown
    refused = {
        "$.tasks": [grown[1]],
        "$.tasks[1].classes": [grown[0], TaskSpec(task="classification", classes=["a", "c", "b"])],
        "$.tasks[1].multi_label": [grown[0], msgspec.structs.replace(grown[1], multi_label=True)],
        "$.tasks[0].classes[1]": [TaskSpec(task="segmentation", classes=["field", "field"]), grown[1]],
    }
    for path, tasks in refused.items():
        with pytest.raises(InvalidValueError) as caught:
            label_store.campaigns.set_tasks(campaign.campaign_id, tasks)
        assert caught.value.path == path
    assert label_store.campaigns.get("demo").tasks == grown
    with pytest.raises(NotFoundError):
        label_store.campaigns.set_tasks(99, grown)


def test_settings_of_a_drawn_reserve_are_refused(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=100)
    changed = CampaignSettings(reserve=ReserveSettings(share=0.1))
    label_store.campaigns.set_settings(campaign.campaign_id, changed)
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    with pytest.raises(InvalidValueError) as caught:
        label_store.campaigns.set_settings(campaign.campaign_id, CampaignSettings())
    assert caught.value.path == "$.reserve"
    label_store.campaigns.set_settings(campaign.campaign_id, msgspec.structs.replace(changed, lease_s=7))
    assert label_store.campaigns.get("demo").settings.lease_s == 7


def test_counts_follow_the_state_of_each_sample(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=100, tasks=ONE_TASK)
    number = campaign.campaign_id
    assert label_store.campaigns.counts(number, NOW) == counts(pool=100)
    label_store.samples.draw_reserve(number, NOW)
    pool, reserve = (ids.tolist() for ids in label_store.queries.available(number, NOW))
    open_query(label_store, number, "ann", [*pool[:4], reserve[0]])
    answers = [
        LabelInput(sample_id=sample_id, task="classification", annotator="ann", classes=["water"])
        for sample_id in (pool[0], reserve[0])
    ]
    record_labels(label_store, campaign, answers, NOW)
    assert label_store.campaigns.counts(number, NOW) == counts(
        pool=66, leased=3, labelled=1, reserve=30, reserve_labelled=1
    )
    later = NOW + timedelta(seconds=60)
    assert label_store.campaigns.counts(number, later) == counts(pool=69, labelled=1, reserve=30, reserve_labelled=1)


def counts(
    pool: int = 0, leased: int = 0, labelled: int = 0, reserve: int = 0, reserve_labelled: int = 0
) -> SampleCounts:
    return SampleCounts(
        pool=pool, leased=leased, labelled=labelled, reserve=reserve, reserve_labelled=reserve_labelled,
        total=pool + leased + labelled + reserve,
    )  # fmt: skip
