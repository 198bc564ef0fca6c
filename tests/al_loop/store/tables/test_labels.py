import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label, LabelInput
from al_loop.errors import ConflictError, CrowdedError, LeasedError, NotFoundError
from al_loop.store import LabelStore
from al_loop.store.database import Database
from al_loop.store.pool_index import PoolIndex
from al_loop.store.pool_indexes import read_pool_index
from al_loop.store.tables.labels import MOST_ANNOTATORS
from models.card import TaskSpec
from tests.al_loop.store.fixtures import NOW, open_query

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign(samples=6)


def answer(sample_id: int, *classes: str, annotator: str = "ann", **fields: Any) -> LabelInput:
    return LabelInput(sample_id=sample_id, task="classification", annotator=annotator, classes=list(classes), **fields)


def lease(store: LabelStore, campaign: Campaign, annotator: str, *sample_ids: int) -> int:
    return open_query(store, campaign.campaign_id, annotator, sample_ids).query_id


def classes_of(labels: list[Label]) -> dict[int, list[str] | None]:
    return {label.sample_id: label.classes for label in labels}


def test_answer_reads_back_as_recorded(label_store: LabelStore, campaign: Campaign) -> None:
    yesterday = NOW - timedelta(days=1)
    (label,) = record_labels(label_store, campaign, [answer(1, "water", labelled_at=yesterday)], NOW)
    assert label_store.labels.current(campaign.campaign_id) == [label]
    assert (label.classes, label.labelled_at, label.recorded_at) == (["water"], yesterday, NOW)


def test_empty_answer_is_a_label(label_store: LabelStore, campaign: Campaign) -> None:
    record_labels(label_store, campaign, [answer(1)], NOW)
    assert classes_of(label_store.labels.current(campaign.campaign_id)) == {1: []}
    assert label_store.campaigns.counts(campaign.campaign_id, NOW).partly == 1, "the other task is open"


def test_newest_answer_of_an_annotator_is_current_and_history_keeps_all(
    label_store: LabelStore, campaign: Campaign
) -> None:
    for name in ("water", "forest"):
        record_labels(label_store, campaign, [answer(1, name)], NOW)
    record_labels(label_store, campaign, [answer(1, "urban", annotator="bob")], NOW)
    current = label_store.labels.current(campaign.campaign_id)
    assert [(label.annotator, label.classes) for label in current] == [("ann", ["forest"]), ("bob", ["urban"])]
    history = label_store.labels.history(campaign.campaign_id, 1)
    assert [label.classes for label in history] == [["water"], ["forest"], ["urban"]]


def test_sample_leased_to_somebody_else_is_refused_with_its_holder(label_store: LabelStore, campaign: Campaign) -> None:
    lease(label_store, campaign, "bob", 1)
    with pytest.raises(LeasedError, match=r"leased to 'bob' until .*override_lease.*`\$\.labels\[1\]`"):
        record_labels(label_store, campaign, [answer(2, "water"), answer(1, "water")], NOW)
    assert label_store.labels.current(campaign.campaign_id) == []
    record_labels(label_store, campaign, [answer(1, "water", override_lease=True)], NOW)
    record_labels(label_store, campaign, [answer(1, "urban")], NOW + timedelta(seconds=60))


def test_label_ends_the_lease_and_names_its_query(
    label_store: LabelStore, campaign: Campaign, store_database: Database
) -> None:
    query_id = lease(label_store, campaign, "ann", 1, 2)
    record_labels(label_store, campaign, [answer(1, "water")], NOW)
    area = {"type": "FeatureCollection", "features": []}
    second_task = LabelInput(sample_id=1, task="segmentation", annotator="ann", features=area)
    record_labels(label_store, campaign, [second_task, answer(3, "water")], NOW)
    assert [held.sample_id for held in label_store.queries.leases(campaign.campaign_id, NOW)] == [2]
    rows = store_database.read("SELECT sample_id, query_id FROM label_events ORDER BY label_id")
    assert [(row["sample_id"], row["query_id"]) for row in rows] == [(1, query_id), (1, query_id), (3, None)]


def test_shared_lease_lets_both_answer(label_store: LabelStore, campaign: Campaign) -> None:
    lease(label_store, campaign, "bob", 1)
    lease(label_store, campaign, "ann", 1)
    record_labels(label_store, campaign, [answer(1, "water")], NOW)
    record_labels(label_store, campaign, [answer(1, "water", annotator="bob")], NOW)
    assert len(label_store.labels.current(campaign.campaign_id)) == 2


def test_retraction_brings_the_sample_back_into_the_pool(label_store: LabelStore, campaign: Campaign) -> None:
    (label,) = record_labels(label_store, campaign, [answer(1, "water")], NOW)
    event = label_store.labels.retract(campaign.campaign_id, label.label_id, annotator="ann", now=NOW)
    assert (event.retracts, event.classes, event.sample_id) == (label.label_id, None, 1)
    assert label_store.labels.current(campaign.campaign_id) == []
    assert label_store.campaigns.counts(campaign.campaign_id, NOW).pool == 6
    assert len(label_store.labels.history(campaign.campaign_id, 1)) == 2


def test_retraction_is_refused_where_it_means_nothing(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    first, second = (record_labels(label_store, campaign, [answer(1, name)], NOW)[0] for name in ("water", "urban"))
    with pytest.raises(NotFoundError):
        label_store.labels.retract(number, 999, annotator=None, now=NOW)
    with pytest.raises(ConflictError, match="not current"):
        label_store.labels.retract(number, first.label_id, annotator="ann", now=NOW)
    with pytest.raises(ConflictError, match="given by 'ann'"):
        label_store.labels.retract(number, second.label_id, annotator="bob", now=NOW)
    event = label_store.labels.retract(number, second.label_id, annotator=None, now=NOW)
    with pytest.raises(ConflictError, match="not current"):
        label_store.labels.retract(number, second.label_id, annotator="ann", now=NOW)
    with pytest.raises(ConflictError, match="itself a retraction"):
        label_store.labels.retract(number, event.label_id, annotator="ann", now=NOW)


def test_labels_as_they_were_at_a_time(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    hours = [NOW + timedelta(hours=n) for n in range(4)]
    (first,) = record_labels(label_store, campaign, [answer(1, "water")], hours[0])
    (second,) = record_labels(label_store, campaign, [answer(1, "forest")], hours[1])
    label_store.labels.retract(number, second.label_id, annotator="ann", now=hours[2])
    record_labels(label_store, campaign, [answer(1, "urban")], hours[3])
    seen = [classes_of(label_store.labels.current(number, as_of=moment)) for moment in hours]
    assert seen == [{1: ["water"]}, {1: ["forest"]}, {}, {1: ["urban"]}]
    assert label_store.labels.current(number, as_of=NOW - timedelta(seconds=1)) == []
    assert label_store.labels.current(number, up_to=first.label_id) == [first]


def test_pages_of_labels(label_store: LabelStore, campaign: Campaign) -> None:
    labels = record_labels(label_store, campaign, [answer(i, "water") for i in range(1, 6)], NOW)
    page = label_store.labels.current(campaign.campaign_id, limit=2, after=labels[1].label_id)
    assert page == labels[2:4]


def test_ids_ascend_in_the_order_given(label_store: LabelStore, make_campaign: MakeCampaign) -> None:
    campaign = make_campaign(samples=5000)
    labels = record_labels(label_store, campaign, [answer(i, "water") for i in range(5000, 0, -1)], NOW)
    assert label_store.labels.current(campaign.campaign_id) == labels
    assert [label.sample_id for label in labels] == list(range(5000, 0, -1))


def test_new_samples_are_counted_without_the_reserve_and_relabelled_ones_once(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    campaign = make_campaign(samples=100)
    number = campaign.campaign_id
    label_store.samples.draw_reserve(number, NOW)
    pool, reserve = (ids.tolist() for ids in label_store.queries.available(number, NOW))
    assert label_store.labels.last_recorded_at(number) is None
    record_labels(label_store, campaign, [answer(pool[0], "water"), answer(reserve[0], "water")], NOW)
    newest = label_store.labels.newest_event(number)
    later = NOW + timedelta(hours=1)
    record_labels(label_store, campaign, [answer(pool[1], "water", annotator=name) for name in ("ann", "bob")], later)
    assert label_store.labels.new_samples_since(number, None) == 2
    assert label_store.labels.new_samples_since(number, newest) == 1
    assert label_store.labels.last_recorded_at(number) == later


def test_class_counts_take_the_newest_answer_of_each_sample(label_store: LabelStore, campaign: Campaign) -> None:
    square = [[[1, 1], [9, 1], [9, 9], [1, 9], [1, 1]]]
    features = [
        {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": square}}
        for properties in ({"label": "road"}, {"label": "road"}, {"label": "field"}, {"label": None, "ignore": True})
    ]
    collection = {"type": "FeatureCollection", "features": features}
    area = LabelInput(sample_id=1, task="segmentation", annotator="ann", features=collection)
    record_labels(label_store, campaign, [answer(1, "water"), answer(2, "water"), answer(3, "urban"), area], NOW)
    record_labels(label_store, campaign, [answer(2, "forest", annotator="bob")], NOW)
    number = campaign.campaign_id
    assert label_store.labels.class_counts(number, "classification") == {"water": 1, "forest": 1, "urban": 1}
    assert label_store.labels.class_counts(number, "segmentation") == {"road": 1, "field": 1}
    assert label_store.labels.class_counts(number, "segmentation", reserve=True) == {}
    assert label_store.labels.answered(number, "classification") == 3


def test_quotes_in_a_class_and_annotator_are_stored_verbatim(
    label_store: LabelStore, make_campaign: MakeCampaign
) -> None:
    odd = "o'neil\"; DROP TABLE label_events; --"
    campaign = make_campaign(samples=1, tasks=[TaskSpec(task="classification", classes=[odd, "b"])])
    (label,) = record_labels(label_store, campaign, [answer(1, odd, annotator=odd)], NOW)
    assert label_store.labels.current(campaign.campaign_id) == [label]
    assert label_store.labels.class_counts(campaign.campaign_id, "classification") == {odd: 1}


def test_sample_takes_answers_of_a_thousand_annotators_and_no_more(
    label_store: LabelStore, campaign: Campaign, store_database: Database
) -> None:
    record_labels(label_store, campaign, [answer(1, "urban", annotator=f"a{n}") for n in range(MOST_ANNOTATORS)], NOW)
    for read in (False, True):  # by the tables, and by the pool index
        if read:
            label_store.pool_indexes.of(campaign.campaign_id, NOW)
        with pytest.raises(CrowdedError, match="more than 1,000 annotators"):
            record_labels(label_store, campaign, [answer(2, "urban"), answer(1, "urban", annotator="one more")], NOW)
        record_labels(label_store, campaign, [answer(1, "water", annotator="a7")], NOW)
    assert 2 not in {label.sample_id for label in label_store.labels.current(campaign.campaign_id)}


def test_index_of_a_sample_with_very_many_annotators_takes_little(
    label_store: LabelStore, campaign: Campaign, store_database: Database
) -> None:
    """As an older version let them in: each set of answers was kept, 9 GB for 20,000 of them."""
    many = 20_000
    store_database.write(
        lambda connection: connection.execute(
            """INSERT INTO label_events (campaign_id, sample_id, task, annotator, classes, labelled_at, recorded_at)
            SELECT ?, 1, 'classification', 'a' || range, ['urban'], ?, ? FROM range(?)""",
            [campaign.campaign_id, NOW.replace(tzinfo=None), NOW.replace(tzinfo=None), many],
        ).fetchall()
    )
    tracemalloc.start()
    index = read_pool_index_of(store_database, campaign)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(index.answerers(0)) == many
    assert peak < 50e6
    for n in range(100):
        index.answer(1, f"later {n}", "classification")
    assert len(index._known_answers) < 10


def read_pool_index_of(database: Database, campaign: Campaign) -> PoolIndex:
    with database._cursor() as cursor:
        return read_pool_index(cursor, campaign.campaign_id)
