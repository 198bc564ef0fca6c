"""Queries against a real label store: who gets what, and why."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import CampaignSettings, QuerySettings, ReserveSettings, RetrainPolicy
from al_loop.errors import InvalidValueError
from al_loop.querying import rankings
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Auto, Entropy, MaxHerding, Random
from al_loop.querying.strategies.auto import UNKNOWN
from al_loop.scoring.current import CurrentScores
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.errors import NonFiniteScoresError
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import EMBEDDINGS_FILE, FEATURES
from tests.al_loop.store.fixtures import NOW, every_answer, plain_headers
from tests.data.empty_store import lay_empty_store

NO_RESERVE = CampaignSettings(query=QuerySettings(control_share=0), reserve=ReserveSettings(share=0, minimum=0))


@pytest.fixture
def sampler(make_sampler: Callable[..., Sampler]) -> Sampler:
    return make_sampler(seed=1)


@pytest.fixture
def promote(label_store):
    def promote(campaign, version, at):
        label_store.versions.add(campaign.campaign_id, version, int(version[1:]), at)
        label_store.versions.promote(campaign.campaign_id, version, reason="test", now=at)
        return label_store.campaigns.get(campaign.name)

    return promote


def ids_of(answer) -> list[int]:
    return [sample.sample_id for sample in answer.samples]


def every_id(label_store, campaign) -> list[int]:
    return label_store.samples.paths(campaign.campaign_id)[0].tolist()


def label(label_store, campaign, sample_ids, annotator="ada", now=NOW):
    inputs = [one for number in sample_ids for one in every_answer(campaign, number, annotator, "forest")]
    record_labels(label_store, campaign, inputs, now)


@pytest.mark.parametrize("query_size", [0, -1, 1001, 1_000_000])
def test_query_size_out_of_range_is_refused_with_its_path(sampler, make_campaign, query_size):
    with pytest.raises(InvalidValueError) as caught:
        sampler.query(make_campaign(samples=5), annotator="ada", query_size=query_size, now=NOW)
    assert caught.value.path == "$.query_size"


def test_query_without_scores_is_random_and_says_so(sampler, make_campaign):
    campaign = make_campaign(samples=50, settings=NO_RESERVE)
    answer = sampler.query(campaign, annotator="ada", query_size=7, now=NOW)
    assert len(set(ids_of(answer))) == 7
    assert {sample.reason for sample in answer.samples} == {"no embeddings yet: random"}
    assert {sample.score for sample in answer.samples} == {None}
    assert (answer.version, answer.strategy, answer.reason) == (None, "auto", None)
    assert answer.lease_expires_at == NOW + timedelta(seconds=campaign.settings.lease_s)
    assert all(sample.path.startswith("img_") for sample in answer.samples)


def test_query_before_the_first_model_covers_by_features_only_where_asked_to(
    sampler, make_campaign, add_scores, label_store
):
    campaign = make_campaign(samples=60, settings=NO_RESERVE)
    sampler.query(campaign, annotator="ada", query_size=1, now=NOW)
    add_scores(campaign, FEATURES, every_id(label_store, campaign))
    answer = sampler.query(campaign, annotator="ada", query_size=9, now=NOW)
    assert answer.version == FEATURES
    assert {sample.reason for sample in answer.samples} == {UNKNOWN}
    answer = sampler.query(campaign, annotator="ada", query_size=9, strategy=MaxHerding(), now=NOW)
    assert {sample.reason for sample in answer.samples} == {"covers an unlabelled part of the pool"}


def test_entropy_query_asks_the_highest_scores(sampler, make_campaign, add_scores, promote, label_store):
    campaign = promote(make_campaign(samples=60, settings=NO_RESERVE), "v1", NOW)
    ids = every_id(label_store, campaign)
    add_scores(campaign, "v1", ids)
    table = label_store.scores.load(campaign.campaign_id, "v1")
    entropies = dict(zip(table["sample_id"].to_pylist(), table["entropy"].to_pylist(), strict=True))
    answer = sampler.query(campaign, annotator="ada", query_size=5, strategy=Entropy(), now=NOW)
    assert ids_of(answer) == sorted(ids, key=lambda sample_id: -entropies[sample_id])[:5]
    assert [sample.score for sample in answer.samples] == pytest.approx([entropies[i] for i in ids_of(answer)])
    assert answer.samples[0].reason.startswith("uncertain: entropy")
    assert answer.strategy == "entropy"


def test_older_scores_rank_until_the_new_version_has_its_own(sampler, make_campaign, add_scores, promote, label_store):
    campaign = promote(make_campaign(samples=40, settings=NO_RESERVE), "v1", NOW)
    add_scores(campaign, "v1", every_id(label_store, campaign))
    campaign = promote(campaign, "v2", NOW + timedelta(hours=1))
    assert sampler.query(campaign, annotator="ada", query_size=3, now=NOW).version == "v1"
    add_scores(campaign, "v2", every_id(label_store, campaign), seed=2)
    assert sampler.query(campaign, annotator="ada", query_size=3, now=NOW).version == "v2"


def test_query_after_a_long_pause_is_ranked_by_scores_that_came_meanwhile(
    sampler, make_campaign, add_scores, promote, label_store, monkeypatch
):
    campaign = promote(make_campaign(samples=40, settings=NO_RESERVE), "v1", NOW)
    add_scores(campaign, "v1", every_id(label_store, campaign))
    assert sampler.query(campaign, annotator="ada", query_size=3, now=NOW).version == "v1"
    sampler.wait()
    monkeypatch.setattr(rankings, "IN_USE_S", 0.0)
    campaign = promote(campaign, "v2", NOW + timedelta(hours=1))
    add_scores(campaign, "v2", every_id(label_store, campaign), seed=2)
    sampler._scores.of(campaign)  # a service reads scores when they are stored, before anybody asks
    assert sampler.query(campaign, annotator="ada", query_size=3, now=NOW).version == "v2"


def test_unscored_samples_come_last(sampler, make_campaign, add_scores, promote, label_store):
    campaign = promote(make_campaign(samples=20, settings=NO_RESERVE), "v1", NOW)
    scored = every_id(label_store, campaign)[5:12]
    add_scores(campaign, "v1", scored)
    answer = sampler.query(campaign, annotator="ada", query_size=10, now=NOW)
    assert set(ids_of(answer)[:7]) == set(scored)
    assert {sample.reason for sample in answer.samples[7:]} == {"not scored yet: random"}
    assert [sample.score is None for sample in answer.samples] == [False] * 7 + [True] * 3


def test_random_strategy_does_not_prefer_scored_samples(sampler, make_campaign, add_scores, promote, label_store):
    campaign = promote(make_campaign(samples=100, settings=NO_RESERVE), "v1", NOW)
    scored = every_id(label_store, campaign)[:30]
    add_scores(campaign, "v1", scored)
    answer = sampler.query(campaign, annotator="ada", query_size=30, strategy=Random(), now=NOW)
    assert len(set(ids_of(answer)) & set(scored)) < 20
    assert {sample.reason for sample in answer.samples} == {"random control"}


def test_asking_again_gives_new_samples(sampler, make_campaign, label_store):
    campaign = make_campaign(samples=40, settings=NO_RESERVE)
    answers = [sampler.query(campaign, annotator="ada", query_size=10, now=NOW) for _ in range(4)]
    assert len({sample_id for answer in answers for sample_id in ids_of(answer)}) == 40
    assert len(label_store.queries.leases(campaign.campaign_id, NOW, "ada")) == 40


@pytest.mark.parametrize("strategy", [None, Entropy(), Random()])
def test_concurrent_annotators_never_get_the_same_sample(
    sampler, make_campaign, add_scores, promote, label_store, strategy
):
    campaign = promote(make_campaign(samples=150), "v1", NOW)
    add_scores(campaign, "v1", every_id(label_store, campaign))
    got: Counter[int] = Counter()
    lock = threading.Lock()

    def annotate(name: str) -> None:
        for _ in range(4):
            answer = sampler.query(campaign, annotator=name, query_size=4, strategy=strategy, now=NOW)
            with lock:
                got.update(ids_of(answer))

    threads = [threading.Thread(target=annotate, args=(name,)) for name in ("ada", "bo") for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got.values()) == 128
    assert max(got.values()) == 1


def test_labelled_samples_are_not_offered_again(sampler, make_campaign, label_store):
    campaign = make_campaign(samples=12, settings=NO_RESERVE)
    first = ids_of(sampler.query(campaign, annotator="ada", query_size=6, now=NOW))
    label(label_store, campaign, first)
    later = NOW + timedelta(days=1)
    rest = ids_of(sampler.query(campaign, annotator="bo", query_size=12, now=later))
    assert len(rest) == 6
    assert not set(rest) & set(first)


def test_leased_pool_says_until_when(sampler, make_campaign):
    campaign = make_campaign(samples=5)
    assert len(ids_of(sampler.query(campaign, annotator="ada", query_size=5, now=NOW))) == 5
    answer = sampler.query(campaign, annotator="bo", query_size=5, now=NOW)
    assert (answer.query_id, answer.samples) == (None, [])
    assert "13:00 UTC" in answer.reason
    assert len(ids_of(sampler.query(campaign, annotator="bo", query_size=5, now=NOW + timedelta(hours=1)))) == 5


def test_finished_and_empty_campaigns_say_so(sampler, make_campaign, label_store):
    campaign = make_campaign(samples=3)
    label(label_store, campaign, ids_of(sampler.query(campaign, annotator="ada", query_size=3, now=NOW)))
    assert sampler.query(campaign, annotator="ada", query_size=3, now=NOW).reason == "all 3 samples are labelled"
    empty = make_campaign("empty")
    assert sampler.query(empty, annotator="ada", query_size=3, now=NOW).reason == "no samples are registered yet"


def test_samples_registered_after_an_empty_query_are_offered(sampler, make_campaign, label_store):
    campaign = make_campaign("late")
    sampler.query(campaign, annotator="ada", query_size=3, now=NOW)
    label_store.samples.register(campaign.campaign_id, plain_headers(4), NOW)
    assert len(ids_of(sampler.query(campaign, annotator="ada", query_size=9, now=NOW))) == 4


def test_shared_query_offers_what_others_have_leased_but_not_ones_own(sampler, make_campaign):
    campaign = make_campaign(samples=8)
    mine = ids_of(sampler.query(campaign, annotator="ada", query_size=5, now=NOW))
    others = ids_of(sampler.query(campaign, annotator="bo", query_size=3, now=NOW))
    answer = sampler.query(campaign, annotator="ada", query_size=8, now=NOW, shared=True)
    assert set(ids_of(answer)) == set(others)
    assert not set(ids_of(answer)) & set(mine)


def test_reserve_fills_half_of_early_queries_then_its_share(sampler, make_campaign, label_store):
    settings = CampaignSettings(reserve=ReserveSettings(share=0.2, minimum=0))
    campaign = make_campaign(samples=400, settings=settings, policy=RetrainPolicy(min_reserve_labels=5))
    shares = []
    for _ in range(6):
        answer = sampler.query(campaign, annotator="ada", query_size=20, now=NOW)
        chosen = label_store.samples.get_many(campaign.campaign_id, ids_of(answer))
        shares.append(sum(sample.reserve for sample in chosen.values()))
    assert shares == [10, 5, 4, 4, 4, 4]


def test_reserve_samples_hide_in_random_places(sampler, make_campaign, label_store):
    campaign = make_campaign(samples=400, policy=RetrainPolicy(min_reserve_labels=100))
    places = []
    for _ in range(8):
        answer = sampler.query(campaign, annotator="ada", query_size=10, now=NOW)
        reserve = set(label_store.samples.paths(campaign.campaign_id, reserve=True)[0].tolist())
        places += [place for place, sample_id in enumerate(ids_of(answer)) if sample_id in reserve]
        assert all(sample.reason != "test reserve" for sample in answer.samples)
    assert len(places) == 40
    assert set(places) == set(range(10))


def test_labelled_reserve_covers_nothing(sampler, make_campaign, add_scores, label_store, embedding_store):
    """Labels of the reserve teach the model nothing: the cluster that only they lie in is still asked about."""
    campaign = make_campaign(samples=40, settings=CampaignSettings(reserve=ReserveSettings(share=0.5, minimum=20)))
    label_store.samples.draw_reserve(campaign.campaign_id, NOW)
    ids = np.array(every_id(label_store, campaign))
    reserve = np.isin(ids, label_store.samples.paths(campaign.campaign_id, reserve=True)[0])
    here = reserve | (np.cumsum(~reserve) <= 10)  # the reserve and half of the pool
    add_scores(campaign, FEATURES, ids)
    part = embedding_store.parts(FEATURES)[0]
    noise = 0.01 * np.random.default_rng(0).standard_normal((40, 4))
    np.save(part / EMBEDDINGS_FILE, (noise + here[:, None]).astype(np.float32))
    label(label_store, campaign, ids[reserve].tolist())
    picks = ids_of(sampler.query(campaign, annotator="ada", query_size=2, now=NOW))
    assert sorted(here[np.isin(ids, picks)].tolist()) == [False, True]


def test_nan_scores_are_refused_with_the_sample_ids(
    sampler, make_campaign, promote, label_store, embedding_store, add_scores
):
    campaign = promote(make_campaign(samples=30, settings=NO_RESERVE), "v1", NOW)
    ids = every_id(label_store, campaign)
    add_scores(campaign, "v1", ids)
    part = embedding_store.parts("v1")[0]
    values = np.load(part / EMBEDDINGS_FILE)
    values[4] = np.nan
    np.save(part / EMBEDDINGS_FILE, values)
    with pytest.raises(NonFiniteScoresError) as caught:
        sampler.query(campaign, annotator="ada", query_size=3, strategy=Auto(), now=NOW)
    assert caught.value.sample_ids == [ids[4]]
    assert label_store.queries.leases(campaign.campaign_id, NOW) == []


def test_equal_seeds_answer_equally(tmp_path):
    answers = []
    for index, seed in enumerate([5, 5, 6]):
        store = LabelStore.open(lay_empty_store(tmp_path / f"{index}.duckdb"))
        tasks = [TaskSpec(task="classification", classes=["forest", "water"])]
        campaign = store.campaigns.create(
            name="a", tasks=tasks, root="/", bands=None, settings=CampaignSettings(), policy=RetrainPolicy(), now=NOW
        )
        store.samples.register(campaign.campaign_id, plain_headers(100), NOW)
        sampler = Sampler(store, CurrentScores(store, lambda campaign: EmbeddingStore(tmp_path / "scores")), seed=seed)
        answers.append([ids_of(sampler.query(campaign, annotator="ada", query_size=6, now=NOW)) for _ in range(2)])
        store.close()
    assert answers[0] == answers[1]
    assert answers[0] != answers[2]
