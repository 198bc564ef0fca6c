"""What queries are made of beside the strategy's choice, and how fresh they say they are."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign, CampaignSettings, QuerySettings, ReserveSettings, RetrainPolicy
from al_loop.domain.queries import QueryAnswer
from al_loop.errors import LeasedError
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Entropy, Random
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store import LabelStore
from al_loop.store.database import Database
from al_loop.training.snapshot import write_snapshot
from models.scoring.embeddings import EmbeddingStore
from tests.al_loop.store.fixtures import NOW, ONE_TASK, every_answer, plain_headers

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def sampler(label_store: LabelStore, embedding_store: EmbeddingStore) -> Sampler:
    return Sampler(label_store, CurrentScores(label_store, lambda _: embedding_store), seed=1)


def asks(*, reserve: bool = False, lease_s: float = 60.0, **query: object) -> CampaignSettings:
    side = ReserveSettings(share=0.2, minimum=4) if reserve else ReserveSettings(share=0, minimum=0)
    return CampaignSettings(lease_s=lease_s, reserve=side, query=QuerySettings(**query))  # type: ignore[arg-type]


def scored(store: LabelStore, campaign: Campaign, add_scores: Callable[..., None]) -> Campaign:
    """The campaign with a serving version that scored every sample."""
    store.versions.add(campaign.campaign_id, "v1", 1, NOW)
    store.versions.promote(campaign.campaign_id, "v1", reason="test", now=NOW)
    add_scores(campaign, "v1", store.samples.paths(campaign.campaign_id)[0].tolist())
    return store.campaigns.get(campaign.name)


def arms_of(store_database: Database, campaign: Campaign) -> dict[int, str]:
    """QuerySource of the newest lease of each sample."""
    rows = store_database.read(
        "SELECT sample_id, arm FROM leases WHERE campaign_id = $campaign_id ORDER BY lease_id",
        campaign_id=campaign.campaign_id,
    )
    return {row["sample_id"]: row["arm"] for row in rows}


def ids_of(answer: QueryAnswer) -> list[int]:
    return [sample.sample_id for sample in answer.samples]


def label(store: LabelStore, campaign: Campaign, sample_ids: list[int], annotator: str, **changes: object) -> None:
    inputs = [one for i in sample_ids for one in every_answer(campaign, i, annotator, ("forest", "water")[i % 2])]
    record_labels(store, campaign, inputs, changes.get("now", NOW))  # type: ignore[arg-type]


def test_share_of_the_pools_picks_is_random_and_remembered(
    sampler: Sampler,
    make_campaign: MakeCampaign,
    add_scores: Callable[..., None],
    label_store: LabelStore,
    store_database: Database,
) -> None:
    campaign = make_campaign(samples=400, settings=asks(control_share=0.25, reserve=True))
    campaign = scored(label_store, campaign, add_scores)
    answers = [sampler.query(campaign, annotator="ann", query_size=20, strategy=Entropy(), now=NOW) for _ in range(8)]
    arms = Counter(arms_of(store_database, campaign).values())
    assert arms["control"] == pytest.approx(0.25 * (arms["control"] + arms["strategy"]), abs=5)
    assert arms["reserve"] > 0
    reasons = {sample.sample_id: sample.reason for answer in answers for sample in answer.samples}
    for sample_id, arm in arms_of(store_database, campaign).items():
        assert (reasons[sample_id] == "random control") == (arm in ("control", "reserve"))


def test_every_pick_of_the_random_strategy_is_a_control(
    sampler: Sampler, make_campaign: MakeCampaign, label_store: LabelStore, store_database: Database
) -> None:
    campaign = make_campaign(samples=40, settings=asks())
    sampler.query(campaign, annotator="ann", query_size=30, strategy=Random(), now=NOW)
    assert set(arms_of(store_database, campaign).values()) == {"control"}


def test_overlap_is_asked_of_so_many_annotators_and_of_each_once(
    sampler: Sampler, make_campaign: MakeCampaign, label_store: LabelStore
) -> None:
    campaign = make_campaign(samples=12, settings=asks(overlap_share=1.0, overlap_annotators=2, control_share=0))
    people = ("ann", "bob", "cleo")
    asked: dict[str, list[int]] = {person: [] for person in people}
    for _ in range(8):
        for person in people:
            asked[person] += ids_of(sampler.query(campaign, annotator=person, query_size=3, now=NOW))
    assert all(len(set(ids)) == len(ids) for ids in asked.values())
    assert Counter(i for ids in asked.values() for i in ids) == dict.fromkeys(range(1, 13), 2)
    mine = asked["ann"][0]
    label(label_store, campaign, [mine], "ann")
    other = next(person for person in people[1:] if mine in asked[person])
    label(label_store, campaign, [mine], other)
    third = next(person for person in people if mine not in asked[person])
    assert mine not in ids_of(sampler.query(campaign, annotator=third, query_size=12, now=NOW + timedelta(hours=1)))
    assert label_store.labels.answered(campaign.campaign_id, "classification") == 1


def test_overlap_keeps_pace_and_leaves_other_samples_to_one_annotator(
    sampler: Sampler, make_campaign: MakeCampaign, label_store: LabelStore
) -> None:
    campaign = make_campaign(samples=300, settings=asks(overlap_share=0.3, overlap_annotators=2, control_share=0))
    for turn in range(10):
        sampler.query(campaign, annotator=("ann", "bob")[turn % 2], query_size=20, now=NOW)
    index = label_store.pool_indexes.of(campaign.campaign_id, NOW)
    held = Counter(lease.sample_id for lease in label_store.queries.leases(campaign.campaign_id, NOW))
    several = {sample_id for sample_id, people in held.items() if people == 2}
    assert several <= set(index.sample_ids[index.overlap].tolist())
    assert 30 <= len(several) <= 60
    assert max(held.values()) == 2


def test_renewal_takes_an_overlap_lease_up_again_though_somebody_answered(
    sampler: Sampler, make_campaign: MakeCampaign, label_store: LabelStore
) -> None:
    campaign = make_campaign(samples=1, settings=asks(overlap_share=1.0))
    for person in ("ann", "bob"):
        assert ids_of(sampler.query(campaign, annotator=person, query_size=1, now=NOW)) == [1]
    label(label_store, campaign, [1], "ann")
    late = NOW + timedelta(seconds=90)
    renewal = label_store.leases.renew(campaign.campaign_id, "bob", [1], lease_s=60, now=late)
    assert renewal.extended == [1]
    label(label_store, campaign, [1], "bob", now=late)


def test_golden_samples_come_now_and_then_once_to_each(
    sampler: Sampler, make_campaign: MakeCampaign, label_store: LabelStore, store_database: Database
) -> None:
    golden = ("img_00007.png", "img_00011.png", "img_00100.png")
    campaign = make_campaign(samples=400, settings=asks(golden=golden, reserve=True))
    known = set(label_store.samples.by_paths(campaign.campaign_id, golden).values())
    for person in ("ann", "bob"):
        places: list[int] = []
        for turn in range(9):
            answer = sampler.query(campaign, annotator=person, query_size=15, now=NOW)
            places += [15 * turn + place for place, sample in enumerate(answer.samples) if sample.sample_id in known]
            label(label_store, campaign, [i for i in ids_of(answer) if i in known], person)
        assert len(places) == 3
        assert min(np.diff(places)) >= 20
    arms = arms_of(store_database, campaign)
    assert {sample_id for sample_id, arm in arms.items() if arm == "golden"} == known


def test_golden_samples_are_neither_trained_on_nor_tested_on_nor_counted(
    make_campaign: MakeCampaign, label_store: LabelStore, tmp_path: Path
) -> None:
    golden = tuple(f"img_{index:05}.png" for index in range(0, 40, 4))
    campaign = make_campaign(
        samples=40, settings=asks(golden=golden, reserve=True), tasks=ONE_TASK,
        policy=RetrainPolicy(min_labels=4, min_reserve_labels=2),
    )  # fmt: skip
    number = campaign.campaign_id
    known = set(label_store.samples.by_paths(number, golden).values())
    label_store.samples.draw_reserve(number, NOW)
    label(label_store, campaign, sorted(known), "ann")
    counts = label_store.campaigns.counts(number, NOW)
    assert (counts.labelled, counts.reserve_labelled, counts.golden) == (0, 0, 10)
    assert label_store.labels.new_samples_since(number, None) == 0
    label(label_store, campaign, [i for i in range(1, 41) if i not in known], "ann")
    snapshot = write_snapshot(
        label_store, label_store.campaigns.get("demo"), 1, tmp_path / "snapshot", version="v1", incumbent=None,
        incumbent_version=None, now=NOW,
    )  # fmt: skip
    assert sum(snapshot.counts.values()) == 30


def test_golden_paths_can_be_named_later_and_taken_back(
    sampler: Sampler, make_campaign: MakeCampaign, label_store: LabelStore
) -> None:
    campaign = make_campaign(samples=3, settings=asks(control_share=0))
    changed = asks(golden=("img_00001.png", "later.png"), control_share=0)
    label_store.campaigns.set_settings(campaign.campaign_id, changed)
    campaign = label_store.campaigns.get("demo")
    assert sorted(ids_of(sampler.query(campaign, annotator="ann", query_size=3, now=NOW)))[:2] == [1, 3]
    label_store.campaigns.set_settings(campaign.campaign_id, asks(control_share=0))
    assert not label_store.samples.get(campaign.campaign_id, 2).golden


def test_lease_that_runs_out_while_its_label_is_on_the_way_lets_the_label_in(
    sampler: Sampler, make_campaign: MakeCampaign, label_store: LabelStore, store_database: Database
) -> None:
    campaign = make_campaign(samples=1, settings=asks(), tasks=ONE_TASK)
    sampler.query(campaign, annotator="ann", query_size=1, now=NOW)
    late = NOW + timedelta(seconds=61)
    assert ids_of(sampler.query(campaign, annotator="bob", query_size=1, now=late)) == [1]
    with pytest.raises(LeasedError, match="bob"):
        label(label_store, campaign, [1], "cleo", now=late)
    label(label_store, campaign, [1], "ann", now=late)
    label(label_store, campaign, [1], "bob", now=late)
    assert len(label_store.labels.current(campaign.campaign_id)) == 2
    (first, second) = store_database.read("SELECT query_id FROM label_events ORDER BY label_id")
    assert first["query_id"] < second["query_id"]


@pytest.mark.parametrize("restart", [False, True])
def test_clock_moved_back_neither_doubles_leases_nor_keeps_samples_from_everybody(
    sampler: Sampler,
    make_campaign: MakeCampaign,
    label_store: LabelStore,
    embedding_store: EmbeddingStore,
    restart: bool,
) -> None:
    campaign = make_campaign(samples=4, settings=asks())
    number = campaign.campaign_id
    anns = ids_of(sampler.query(campaign, annotator="ann", query_size=2, now=NOW))
    wrong = NOW + timedelta(days=365)
    assert sorted(ids_of(sampler.query(campaign, annotator="bob", query_size=4, now=wrong))) == [1, 2, 3, 4]
    if restart:
        label_store.pool_indexes.forget(number)
        sampler = Sampler(label_store, CurrentScores(label_store, lambda _: embedding_store))
    back = NOW + timedelta(seconds=30)
    assert ids_of(sampler.query(campaign, annotator="cleo", query_size=4, now=back)) == []
    held = label_store.queries.leases(number, back)
    assert sorted((lease.sample_id, lease.annotator) for lease in held) == [(i, "bob") for i in range(1, 5)]
    assert anns
    later = back + timedelta(seconds=60)
    assert len(ids_of(sampler.query(campaign, annotator="cleo", query_size=4, now=later))) == 4


def test_query_says_which_labels_its_ranking_knows_of(
    sampler: Sampler,
    make_campaign: MakeCampaign,
    add_scores: Callable[..., None],
    label_store: LabelStore,
    store_database: Database,
) -> None:
    campaign = scored(label_store, make_campaign(samples=60, settings=asks()), add_scores)
    fresh = sampler.query(campaign, annotator="ann", query_size=5, now=NOW)
    assert fresh.ranking is not None
    assert (fresh.ranking.version, fresh.ranking.scored_at, fresh.ranking.stale) == ("v1", NOW, False)
    label(label_store, campaign, ids_of(fresh), "ann")
    stale = sampler.query(campaign, annotator="ann", query_size=5, now=NOW).ranking
    assert stale is not None
    assert (stale.labels, stale.labels_since, stale.stale) == (0, 5, True)
    ids = np.arange(1, 61)
    entropy = np.linspace(0, 1, 60, dtype=np.float32)
    scored_at = NOW + timedelta(seconds=2)
    board = PoolScores(version="v1", sample_ids=ids, scores={"entropy": entropy}, labels=5, scored_at=scored_at)
    sampler._scores.publish(campaign, board)
    again = sampler.query(campaign, annotator="ann", query_size=1, strategy=Entropy(), now=scored_at)
    assert again.ranking is not None
    assert (again.ranking.labels, again.ranking.labels_since, again.ranking.stale) == (5, 0, False)
    (row,) = store_database.read(
        "SELECT ranked_labels, ranked_at FROM queries WHERE query_id = $query_id", query_id=again.query_id
    )
    assert (row["ranked_labels"], row["ranked_at"]) == (5, scored_at)


def test_rankings_made_ahead_give_every_annotator_other_samples_and_follow_a_new_board(
    sampler: Sampler, make_campaign: MakeCampaign, add_scores: Callable[..., None], label_store: LabelStore
) -> None:
    campaign = scored(label_store, make_campaign(samples=500, settings=asks(control_share=0)), add_scores)
    sampler.start()
    got: list[int] = []
    lock = threading.Lock()

    def annotate(person: str) -> None:
        for _ in range(5):
            answer = sampler.query(campaign, annotator=person, query_size=6, strategy=Entropy(), now=NOW)
            with lock:
                got.extend(ids_of(answer))
            label(label_store, campaign, ids_of(answer)[:2], person)

    threads = [threading.Thread(target=annotate, args=(f"person {number}",)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == len(got) == 300
    sampler.wait()
    ids = np.arange(1, 501)
    entropy = np.zeros(500, np.float32)
    best = [i for i in range(1, 501) if i not in set(got)][:4]
    entropy[np.array(best) - 1] = 1
    sampler._scores.publish(campaign, PoolScores(version="v1", sample_ids=ids, scores={"entropy": entropy}, labels=100))
    sampler.wait()
    answer = sampler.query(campaign, annotator="ann", query_size=4, strategy=Entropy(), now=NOW)
    assert sorted(ids_of(answer)) == best
    sampler.close()


def test_ranking_ahead_goes_on_after_samples_are_registered(
    sampler: Sampler, make_campaign: MakeCampaign, label_store: LabelStore
) -> None:
    campaign = make_campaign(samples=6, settings=asks(control_share=0))
    sampler.start()
    first = ids_of(sampler.query(campaign, annotator="ann", query_size=6, now=NOW))
    label_store.samples.register(
        campaign.campaign_id, [header for header in plain_headers(20) if header.path > "img_00005.png"], NOW
    )
    second = ids_of(sampler.query(campaign, annotator="ann", query_size=20, now=NOW))
    assert sorted(first + second) == list(range(1, 21))
    sampler.close()
    sampler.close()
