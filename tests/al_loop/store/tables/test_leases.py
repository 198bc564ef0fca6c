from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.domain.queries import SKIPS_TO_GIVE_UP, OpenedQuery, Pick, QuerySource
from al_loop.errors import NotFoundError
from al_loop.store import LabelStore
from al_loop.store.database import Database
from models.card import TaskSpec
from tests.al_loop.store.fixtures import NOW, ONE_TASK, drawn_label, drawn_square, open_query

MakeCampaign = Callable[..., Campaign]
LEASE_S = 60
LATE = NOW + timedelta(seconds=2 * LEASE_S)
DAY_BEFORE = NOW - timedelta(days=1)


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign(samples=10, tasks=ONE_TASK)


@pytest.fixture
def two_tasks(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign("two-tasks", samples=10)


def lease(store: LabelStore, campaign: Campaign, annotator: str, picks: list[int], now: datetime = NOW) -> OpenedQuery:
    reasons = [Pick(sample_id, sample_id / 10, f"reason {sample_id}") for sample_id in picks]
    return open_query(store, campaign.campaign_id, annotator, reasons, lease_s=LEASE_S, now=now, version="v1")


def answer(store: LabelStore, campaign: Campaign, sample_id: int, annotator: str, now: datetime = NOW) -> int:
    label = LabelInput(sample_id=sample_id, task="classification", annotator=annotator, classes=["forest"])
    return record_labels(store, campaign, [label], now)[0].label_id


def states(
    store: LabelStore, campaign: Campaign, annotator: str, now: datetime, since: datetime | None = DAY_BEFORE
) -> dict[int, str]:
    return {
        entry.sample_id: entry.state
        for entry in store.leases.held(campaign.campaign_id, annotator, now, since=since)
    }  # fmt: skip


def test_held_leases_come_in_the_order_of_the_query_with_all_that_a_list_shows(
    label_store: LabelStore, campaign: Campaign
) -> None:
    lease(label_store, campaign, "ann", [7, 2, 5])
    lease(label_store, campaign, "bob", [1])
    first, *rest = label_store.leases.held(campaign.campaign_id, "ann", NOW)
    assert [entry.sample_id for entry in (first, *rest)] == [7, 2, 5]
    assert (first.path, first.width, first.height, first.bounds) == ("img_00006.png", 64, 64, None)
    assert (first.score, first.reason, first.version, first.state) == (0.7, "reason 7", "v1", "open")
    assert (first.leased_at, first.expires_at) == (NOW, NOW + timedelta(seconds=LEASE_S))
    assert (first.answers, first.scaneo_url) == ([], None)


def test_held_leases_tell_what_became_of_each(label_store: LabelStore, campaign: Campaign) -> None:
    lease(label_store, campaign, "ann", [1, 2, 3, 4, 5, 6])
    number = campaign.campaign_id
    label_id = answer(label_store, campaign, 1, "ann")
    label_store.leases.skip(number, "ann", [2], "cloud", NOW)
    label_store.queries.release(number, "ann", [3], NOW)
    assert states(label_store, campaign, "ann", NOW, since=None) == {4: "open", 5: "open", 6: "open"}
    assert states(label_store, campaign, "ann", NOW) == {1: "labelled", 2: "skipped", 4: "open", 5: "open", 6: "open"}
    lease(label_store, campaign, "bob", [4], now=LATE)
    answer(label_store, campaign, 5, "cleo", now=LATE)
    after = {1: "labelled", 2: "skipped", 4: "taken", 5: "taken", 6: "lapsed"}
    assert states(label_store, campaign, "ann", LATE) == after
    assert states(label_store, campaign, "ann", LATE, since=LATE) == {}
    (own,) = label_store.leases.held(number, "ann", LATE, since=DAY_BEFORE)[0].answers
    assert (own.task, own.label_id, own.classes) == ("classification", label_id, ["forest"])


def test_answers_name_the_classes_that_were_drawn_and_none_of_others(
    label_store: LabelStore, two_tasks: Campaign
) -> None:
    campaign = two_tasks
    lease(label_store, campaign, "ann", [1, 2])
    ring = [[0, 0], [9, 0], [9, 9], [0, 0]]
    drawn = [
        {"type": "Feature", "properties": {"label": name}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for name in ("road", "road")
    ]
    for sample_id, features in ((1, drawn), (2, [])):
        collection = {"type": "FeatureCollection", "features": features}
        label = LabelInput(sample_id=sample_id, task="segmentation", annotator="ann", features=collection)
        record_labels(label_store, campaign, [label], NOW)
    held = label_store.leases.held(campaign.campaign_id, "ann", NOW, since=DAY_BEFORE)
    assert [[(own.task, own.classes) for own in entry.answers] for entry in held] == [
        [("segmentation", ["road"])],
        [("segmentation", [])],
    ]
    lease(label_store, campaign, "bob", [3])
    lease(label_store, campaign, "cleo", [3])
    answer(label_store, campaign, 3, "cleo")
    (bobs,) = label_store.leases.held(campaign.campaign_id, "bob", NOW)
    assert (bobs.state, bobs.answers) == ("open", [])


def test_renewal_of_all_leases_leaves_lapsed_ones_alone(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    lease(label_store, campaign, "ann", [1])
    lease(label_store, campaign, "ann", [2], now=LATE)
    renewal = label_store.leases.renew(number, "ann", None, lease_s=300, now=LATE)
    assert (renewal.extended, renewal.lost) == ([2], [])
    assert renewal.expires_at == LATE + timedelta(seconds=300)
    assert states(label_store, campaign, "ann", LATE) == {1: "lapsed", 2: "open"}


def test_renewal_by_id_takes_a_lapsed_lease_up_again_unless_somebody_else_has_it(
    label_store: LabelStore, campaign: Campaign
) -> None:
    number = campaign.campaign_id
    lease(label_store, campaign, "ann", [1, 2, 3])
    lease(label_store, campaign, "bob", [2], now=LATE)
    answer(label_store, campaign, 3, "cleo", now=LATE)
    renewal = label_store.leases.renew(number, "ann", [1, 2, 3, 4], lease_s=300, now=LATE)
    assert (renewal.extended, renewal.lost) == ([1], [2, 3, 4])
    assert states(label_store, campaign, "ann", LATE) == {1: "open", 2: "taken", 3: "taken"}
    nothing = label_store.leases.renew(number, "ann", [9], lease_s=300, now=LATE)
    assert (nothing.extended, nothing.lost, nothing.expires_at) == ([], [9], None)


def test_renewal_after_a_withdrawn_label_opens_the_sample_again(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    lease(label_store, campaign, "ann", [1, 2])
    label_id = answer(label_store, campaign, 1, "ann")
    assert label_store.leases.renew(number, "ann", [1], lease_s=60, now=NOW).lost == [1]
    label_store.labels.retract(number, label_id, annotator="ann", now=NOW)
    assert states(label_store, campaign, "ann", NOW) == {1: "lapsed", 2: "open"}
    assert label_store.leases.renew(number, "ann", [1], lease_s=60, now=NOW).extended == [1]
    assert states(label_store, campaign, "ann", NOW) == {1: "open", 2: "open"}


def test_renewal_of_a_shared_lease_is_possible_while_others_hold_the_sample(
    label_store: LabelStore, campaign: Campaign
) -> None:
    lease(label_store, campaign, "ann", [1])
    lease(label_store, campaign, "bob", [1])
    assert label_store.leases.renew(campaign.campaign_id, "ann", [1], lease_s=300, now=NOW).extended == [1]


def skipped_by(store_database: Database, campaign_id: int, annotator: str) -> list[int]:
    rows = store_database.read(
        "SELECT sample_id FROM skips WHERE campaign_id = $campaign_id AND annotator = $annotator ORDER BY sample_id",
        campaign_id=campaign_id,
        annotator=annotator,
    )
    return [row["sample_id"] for row in rows]


def test_skip_ends_the_lease_and_counts_once(
    label_store: LabelStore, campaign: Campaign, store_database: Database
) -> None:
    number = campaign.campaign_id
    lease(label_store, campaign, "ann", [1, 2])
    assert label_store.leases.skip(number, "ann", [1, 1, 3], "", NOW) == 2
    assert label_store.leases.skip(number, "ann", [1], "", NOW) == 0
    assert skipped_by(store_database, number, "ann") == [1, 3]
    assert skipped_by(store_database, number, "bob") == []
    assert [held.sample_id for held in label_store.queries.leases(number, NOW)] == [2]


def test_skip_of_an_unknown_sample_is_refused_and_nothing_is_skipped(
    label_store: LabelStore, campaign: Campaign, store_database: Database
) -> None:
    lease(label_store, campaign, "ann", [1])
    with pytest.raises(NotFoundError, match="sample 99"):
        label_store.leases.skip(campaign.campaign_id, "ann", [1, 99], "", NOW)
    assert skipped_by(store_database, campaign.campaign_id, "ann") == []
    assert states(label_store, campaign, "ann", NOW) == {1: "open"}


def test_skipped_sample_can_still_be_answered_by_who_skipped_it(label_store: LabelStore, campaign: Campaign) -> None:
    lease(label_store, campaign, "ann", [1])
    label_store.leases.skip(campaign.campaign_id, "ann", [1], "", NOW)
    answer(label_store, campaign, 1, "ann")
    assert states(label_store, campaign, "ann", NOW) == {1: "labelled"}


def test_sample_skipped_by_many_is_offered_to_nobody_and_counted(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    for person in range(SKIPS_TO_GIVE_UP):
        assert 4 in label_store.queries.available(number, NOW)[0]
        assert label_store.campaigns.counts(number, NOW).skipped == 0
        label_store.leases.skip(number, f"ann {person}", [4], "haze", NOW)
    assert 4 not in label_store.queries.available(number, NOW)[0]
    counts = label_store.campaigns.counts(number, NOW)
    assert (counts.skipped, counts.pool, counts.total) == (1, 10, 10)
    assert label_store.leases.given_up(number) == ["img_00003.png (haze)"]
    answer(label_store, campaign, 4, "an expert")
    assert label_store.leases.given_up(number) == []
    assert label_store.campaigns.counts(number, NOW).skipped == 0


def test_skips_are_kept_over_a_restart(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> None:
    label_store.leases.skip(campaign.campaign_id, "ann", [2], "", NOW)
    label_store.close()
    database = Database(tmp_path / "store" / "al_loop.duckdb")
    reopened = LabelStore(database)
    assert skipped_by(database, campaign.campaign_id, "ann") == [2]
    reopened.close()


def test_notice_of_a_skipped_sample_names_the_reasons(label_store: LabelStore, campaign: Campaign) -> None:
    for person, reason in (("ann", "cloud"), ("bob", "bad image"), ("cleo", "cloud")):
        label_store.leases.skip(campaign.campaign_id, person, [2], reason, NOW)
    assert label_store.leases.given_up(campaign.campaign_id) == ["img_00001.png (bad image; cloud)"]


def draw(store: LabelStore, campaign: Campaign, sample_id: int, annotator: str, now: datetime = NOW) -> None:
    label = drawn_label(
        drawn_square("road", 1, 1, 5), path=f"img_{sample_id - first(store, campaign):05}.png", annotator=annotator
    )
    record_labels(store, campaign, [label], now)


def first(store: LabelStore, campaign: Campaign) -> int:
    return int(store.samples.paths(campaign.campaign_id)[0][0])


def picked(store: LabelStore, campaign: Campaign, annotator: str, source: QuerySource, count: int = 1) -> list[int]:
    """Lease the first samples of a campaign to an annotator."""
    start = first(store, campaign)
    picks = [Pick(start + place, None, "", source) for place in range(count)]
    open_query(store, campaign.campaign_id, annotator, picks, lease_s=LEASE_S)
    return [pick.sample_id for pick in picks]


def test_sample_of_two_tasks_is_done_when_both_are_answered(label_store: LabelStore, two_tasks: Campaign) -> None:
    number = two_tasks.campaign_id
    sample_id, _ = picked(label_store, two_tasks, "ann", "strategy", 2)
    answer(label_store, two_tasks, sample_id, "ann")
    assert states(label_store, two_tasks, "ann", NOW)[sample_id] == "open"
    tasks = label_store.leases.held(number, "ann", NOW)[0].tasks
    assert list(tasks) == ["classification", "segmentation"]
    assert (tasks["classification"].answered, tasks["classification"].classes) == (True, ["forest"])
    assert (tasks["segmentation"].answered, tasks["segmentation"].label_id) == (False, None)
    counts = label_store.campaigns.counts(number, NOW)
    assert (counts.labelled, counts.partly, counts.leased) == (0, 1, 2)
    draw(label_store, two_tasks, sample_id, "ann")
    assert states(label_store, two_tasks, "ann", NOW)[sample_id] == "labelled"
    counts = label_store.campaigns.counts(number, NOW)
    assert (counts.labelled, counts.partly, counts.leased) == (1, 0, 1)


@pytest.mark.parametrize("read", [False, True])
def test_open_task_of_a_lapsed_lease_is_offered_to_others(
    label_store: LabelStore, two_tasks: Campaign, *, read: bool
) -> None:
    number = two_tasks.campaign_id
    (sample_id,) = picked(label_store, two_tasks, "ann", "strategy")
    answer(label_store, two_tasks, sample_id, "ann")
    if read:
        label_store.pool_indexes.forget(number)
    index = label_store.pool_indexes.of(number, LATE)
    assert index.free_among(np.array([sample_id])).all()
    assert index.counts() == label_store.campaigns._counts(number, LATE)
    open_query(label_store, number, "bob", [sample_id], lease_s=LEASE_S, now=LATE)
    tasks = label_store.leases.held(number, "bob", LATE)[0].tasks
    assert (tasks["classification"].answered, tasks["classification"].classes) == (True, None)
    draw(label_store, two_tasks, sample_id, "bob", now=LATE)
    assert states(label_store, two_tasks, "bob", LATE) == {sample_id: "labelled"}
    assert states(label_store, two_tasks, "ann", LATE) == {sample_id: "labelled"}
    assert not index.free_among(np.array([sample_id])).any()
    assert index.counts() == label_store.campaigns._counts(number, LATE)


@pytest.mark.parametrize("source", ["overlap", "golden"])
def test_independent_answer_is_done_when_its_own_annotator_answered_every_task(
    label_store: LabelStore, two_tasks: Campaign, source: QuerySource
) -> None:
    number = two_tasks.campaign_id
    (sample_id,) = picked(label_store, two_tasks, "ann", "strategy")
    answer(label_store, two_tasks, sample_id, "ann")
    draw(label_store, two_tasks, sample_id, "ann")
    picked(label_store, two_tasks, "bob", source)
    assert not any(task.answered for task in label_store.leases.held(number, "bob", NOW)[0].tasks.values())
    answer(label_store, two_tasks, sample_id, "bob")
    assert states(label_store, two_tasks, "bob", NOW) == {sample_id: "open"}
    assert "bob" in label_store.pool_indexes.of(number, NOW).holders[0]
    draw(label_store, two_tasks, sample_id, "bob")
    assert states(label_store, two_tasks, "bob", NOW) == {sample_id: "labelled"}
    assert label_store.pool_indexes.of(number, NOW).holders == {}


def test_withdrawn_label_of_one_task_opens_the_sample_again(label_store: LabelStore, two_tasks: Campaign) -> None:
    number = two_tasks.campaign_id
    (sample_id,) = picked(label_store, two_tasks, "ann", "strategy")
    label_id = answer(label_store, two_tasks, sample_id, "ann")
    draw(label_store, two_tasks, sample_id, "ann")
    label_store.labels.retract(number, label_id, annotator="ann", now=NOW)
    assert label_store.leases.renew(number, "ann", [sample_id], lease_s=60, now=NOW).extended == [sample_id]
    assert states(label_store, two_tasks, "ann", NOW) == {sample_id: "open"}


def test_task_that_is_added_opens_labelled_samples_again(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    index = label_store.pool_indexes.of(number, NOW)
    answer(label_store, campaign, 1, "ann")
    assert index.counts().labelled == 1
    label_store.campaigns.set_tasks(number, [*ONE_TASK, TaskSpec(task="segmentation", classes=["road"])])
    counts = label_store.pool_indexes.of(number, NOW).counts()
    assert (counts.labelled, counts.partly) == (0, 1)
