"""What a campaign's labels say about its strategy: real store, leases with sources, embeddings."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.domain.queries import Pick, QuerySource
from al_loop.errors import NotFoundError
from al_loop.quality.savings_report import SavingsReporter
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store import LabelStore
from models.card import TaskSpec
from tests.al_loop.store.fixtures import CLASSES, NOW, ONE_TASK, open_query

MakeCampaign = Callable[..., Campaign]
CENTRES = np.random.default_rng(5).normal(size=(len(CLASSES), 32)) * 0.5


def ask_and_label(
    store: LabelStore,
    campaign: Campaign,
    ids: Sequence[int],
    arm: QuerySource,
    classes: Sequence[int],
    who: str = "ada",
) -> None:
    """Lease samples for an arm and answer them."""
    picks = [Pick(sample_id, None, "test", arm) for sample_id in ids]
    open_query(store, campaign.campaign_id, who, picks, lease_s=3600)
    answer(store, campaign, ids, classes, who)


def answer(store: LabelStore, campaign: Campaign, ids: Sequence[int], classes: Sequence[int], who: str = "ada") -> None:
    labels = [
        LabelInput(sample_id=number, task="classification", annotator=who, classes=[CLASSES[code]])
        for number, code in zip(ids, classes, strict=True)
    ]
    record_labels(store, campaign, labels, NOW)


@pytest.fixture
def labelled(label_store: LabelStore, make_campaign: MakeCampaign) -> tuple[Campaign, PoolScores]:
    """400 samples: 40 of a reserve, 40 of control, 100 far from their centres, of a strategy."""
    campaign = make_campaign(samples=400, tasks=ONE_TASK)
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    every = label_store.samples.paths(campaign.campaign_id)[0]
    reserve = label_store.samples.paths(campaign.campaign_id, reserve=True)[0][:40]
    pool = np.setdiff1d(every, label_store.samples.paths(campaign.campaign_id, reserve=True)[0])
    rng = np.random.default_rng(0)
    codes = rng.integers(0, len(CLASSES), len(every))
    noise = np.ones(len(every))
    noise[np.isin(every, pool[40:140])] = 4.0
    table = (CENTRES[codes] + noise[:, None] * rng.normal(size=(len(every), 32))).astype(np.float16)
    code_of = dict(zip(every.tolist(), codes.tolist(), strict=True))
    arms: list[tuple[QuerySource, np.ndarray]] = [
        ("reserve", reserve),
        ("control", pool[:40]),
        ("strategy", pool[40:140]),
    ]
    for arm, ids in arms:
        ask_and_label(label_store, campaign, ids.tolist(), arm, [code_of[number] for number in ids.tolist()])
    scores = PoolScores(version="v1", sample_ids=every, table=table, rows=np.arange(len(every)))
    return campaign, scores


def test_labels_are_told_apart_by_what_they_were_asked_for(
    label_store: LabelStore, labelled: tuple[Campaign, PoolScores]
) -> None:
    campaign, scores = labelled
    found = SavingsReporter(label_store, lambda _: scores).savings(campaign)
    assert (found.task, found.version, found.metric) == ("classification", "v1", "accuracy")
    assert (found.labels, found.control_labels, found.reserve_labels) == (100, 40, 40)
    assert found.verdict == "harms"
    assert found.ratio is not None
    assert found.ratio.high < 1


def test_an_answer_is_kept_until_the_labels_have_grown(
    label_store: LabelStore, labelled: tuple[Campaign, PoolScores]
) -> None:
    campaign, scores = labelled
    reporter = SavingsReporter(label_store, lambda _: scores)
    first = reporter.savings(campaign)
    pool = label_store.queries.available(campaign.campaign_id, NOW)[0].tolist()
    ask_and_label(label_store, campaign, pool[:2], "strategy", [0, 0])
    assert reporter.savings(campaign) is first
    ask_and_label(label_store, campaign, pool[2:8], "strategy", [0] * 6)
    assert reporter.savings(campaign).labels == 108


def test_label_of_a_class_that_was_added_meanwhile_is_passed_over(
    label_store: LabelStore, labelled: tuple[Campaign, PoolScores]
) -> None:
    before, scores = labelled
    grown = TaskSpec(task="classification", classes=[*CLASSES, "glaring"])
    label_store.campaigns.set_tasks(before.campaign_id, [grown])
    after = label_store.campaigns.get("demo")
    (new,) = label_store.queries.available(before.campaign_id, NOW)[0].tolist()[:1]
    label = LabelInput(sample_id=new, task="classification", annotator="ada", classes=["glaring"])
    record_labels(label_store, after, [label], NOW)
    assert SavingsReporter(label_store, lambda _: scores).savings(before).labels == 100


def test_second_opinions_and_unasked_labels_belong_to_no_other_arm(
    label_store: LabelStore, labelled: tuple[Campaign, PoolScores]
) -> None:
    campaign, _ = labelled
    before = label_store.labels.by_arm(campaign.campaign_id, "classification")
    control = [label.sample_id for label in before if label.arm == "control"]
    ask_and_label(label_store, campaign, control[:3], "overlap", [0, 1, 2], who="ben")
    pool = label_store.queries.available(campaign.campaign_id, NOW)[0].tolist()
    answer(label_store, campaign, pool[:2], [0, 1])
    after = label_store.labels.by_arm(campaign.campaign_id, "classification")
    assert [label.sample_id for label in after][: len(before)] == [label.sample_id for label in before]
    assert [label.arm for label in after] == [label.arm for label in before] + [None, None]
    newest = {label.sample_id: label.classes for label in after}
    assert [newest[number] for number in control[:3]] == [[name] for name in CLASSES]


def test_samples_without_an_embedding_are_missed_by_name(
    label_store: LabelStore, labelled: tuple[Campaign, PoolScores]
) -> None:
    campaign, scores = labelled
    found = SavingsReporter(label_store, lambda _: PoolScores()).savings(campaign)
    assert found.verdict == "not known yet"
    assert found.note == "of 180 labelled samples 0 have an embedding yet; the pool is being scored"
    assert (found.labels, found.control_labels) == (100, 40)
    few = PoolScores(version="v1", sample_ids=scores.sample_ids[:50], table=scores.table, rows=np.arange(50))
    assert SavingsReporter(label_store, lambda _: few).savings(campaign).verdict == "not known yet"


def test_segmentation_and_several_classes_claim_nothing(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=5)
    reporter = SavingsReporter(label_store, lambda _: PoolScores())
    found = reporter.savings(campaign, "segmentation")
    assert found.verdict == "not known yet"
    assert "is made for tasks with one class a sample" in found.note
    several = make_campaign("several", tasks=[TaskSpec(task="classification", classes=["a", "b"], multi_label=True)])
    assert "several classes" in reporter.savings(several).note
    with pytest.raises(NotFoundError):
        reporter.savings(campaign, "detection")
    assert reporter.savings(campaign).note.startswith("needs 20 more random control labels")
