"""One contract for every query strategy: whatever the pool has or lacks."""

import typing

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.errors import EmptyPoolError
from al_loop.querying.strategies import (
    Auto,
    Badge,
    Bald,
    ClaspPE,
    Entropy,
    LeastConfidence,
    Margin,
    MaxHerding,
    Power,
    Random,
    StrategyConfig,
    TypiClust,
    UHerding,
)
from al_loop.querying.strategies.selection import highest
from al_loop.scoring.pool_scores import Candidates
from models.errors import NonFiniteScoresError
from tests.data.examples import examples

ALL = typing.get_args(StrategyConfig)
USING_SCORES = [Auto, Bald, ClaspPE, Entropy, LeastConfidence, Margin, Power, UHerding]
USING_EMBEDDINGS = [Auto, Badge, MaxHerding, TypiClust, UHerding]
USING_PROBABILITIES = [Badge, ClaspPE]
SCORES = ("least_confidence", "margin", "entropy", "bald")
CLASSES = 3


def make_pool(
    count: int,
    *,
    seed: int = 0,
    scores: bool = True,
    embeddings: bool = True,
    probabilities: bool = True,
    strata: bool = False,
    covered: int = 0,
) -> Candidates:
    """A pool whose tables are larger than itself and in another order."""
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((count + covered, 6)).astype(np.float16)
    by_class = rng.random((count + 2, CLASSES + 1), np.float32)
    by_class[rng.random(by_class.shape) < 0.5] = np.nan
    return Candidates(
        sample_ids=np.arange(count) * 3 + 11,
        scores={name: rng.random(count).astype(np.float32) for name in SCORES} if scores else {},
        table=table if embeddings else None,
        rows=np.arange(count) if embeddings else None,
        covered_rows=np.arange(count, count + covered) if embeddings else None,
        probability_table=rng.dirichlet(np.ones(CLASSES), count + 2).astype(np.float16) if probabilities else None,
        stratum_table=by_class if strata else None,
        score_rows=np.arange(count)[::-1] + 1 if probabilities or strata else None,
        labelled_count=covered,
    )


@pytest.mark.parametrize("strategy", ALL)
@given(
    count=st.integers(1, 80),
    query_size=st.integers(1, 100),
    scores=st.booleans(),
    embeddings=st.booleans(),
    probabilities=st.booleans(),
    strata=st.booleans(),
    covered=st.integers(0, 5),
    seed=st.integers(0, 99),
)
@settings(max_examples=examples(30), deadline=None)
def test_selection_is_a_unique_subset_equal_for_equal_seeds(
    strategy, count, query_size, scores, embeddings, probabilities, strata, covered, seed
):
    """Also where the pool is smaller than the query, and where it lacks anything or everything."""
    pool = make_pool(
        count, seed=seed, scores=scores, embeddings=embeddings, probabilities=probabilities, strata=strata,
        covered=covered,
    )  # fmt: skip
    first, again = (strategy().select(pool, query_size, np.random.default_rng(seed)) for _ in range(2))
    size = min(query_size, count)
    assert first.indices.shape == first.utilities.shape == (size,)
    assert first.utilities.dtype == np.float32
    assert len(set(first.indices.tolist())) == size
    assert set(first.indices.tolist()) <= set(range(count))
    assert np.isfinite(first.utilities).all()
    assert len(first.reasons) == size
    assert all(first.reasons)
    np.testing.assert_array_equal(first.indices, again.indices)
    assert first.reasons == again.reasons


@pytest.mark.parametrize("strategy", ALL)
def test_empty_pool_is_refused(strategy):
    with pytest.raises(EmptyPoolError):
        strategy().select(make_pool(0), 5, np.random.default_rng(0))


@pytest.mark.parametrize("strategy", ALL)
def test_query_size_below_one_is_refused(strategy):
    with pytest.raises(ValueError, match="0"):
        strategy().select(make_pool(5), 0, np.random.default_rng(0))


@pytest.mark.parametrize("value", [0.5, 0.0])
@pytest.mark.parametrize("strategy", ALL)
def test_samples_all_alike_are_chosen_at_random(strategy, value):
    """Two hundred twins of one class: another seed chooses others, and the first rows are not preferred."""
    count = 200
    pool = Candidates(
        sample_ids=np.arange(count),
        scores={name: np.full(count, value, np.float32) for name in SCORES},
        table=np.full((count, 4), value, np.float32),
        rows=np.arange(count),
        covered_rows=np.arange(2),
        probability_table=np.tile(np.array([[1 - value, value]], np.float32), (count, 1)),
        score_rows=np.arange(count),
    )
    picks = [strategy().select(pool, 10, np.random.default_rng(seed)).indices for seed in range(30)]
    assert len({tuple(pick) for pick in picks}) == 30
    assert 60 < np.concatenate(picks).mean() < 140


@pytest.mark.parametrize("strategy", ALL)
def test_campaign_of_one_class_is_answered(strategy):
    pool = Candidates(
        sample_ids=np.arange(30),
        scores={name: np.zeros(30, np.float32) for name in SCORES},
        table=np.random.default_rng(0).standard_normal((30, 4)),
        rows=np.arange(30),
        probability_table=np.ones((30, 1), np.float16),
        score_rows=np.arange(30),
    )
    assert len(set(strategy().select(pool, 8, np.random.default_rng(0)).indices.tolist())) == 8


@pytest.mark.parametrize("strategy", ALL)
def test_strategy_survives_json(strategy):
    encoded = msgspec.json.encode(strategy())
    assert msgspec.json.decode(encoded, type=StrategyConfig) == strategy()


@pytest.mark.parametrize("strategy", ALL)
def test_strategy_names_its_paper_or_what_it_is_for(strategy):
    assert "arXiv" in strategy.__doc__ or strategy in (Random, LeastConfidence, Margin, Entropy)


def test_unknown_strategy_is_refused_by_name():
    with pytest.raises(msgspec.ValidationError, match="nope"):
        msgspec.json.decode(b'{"type": "nope"}', type=StrategyConfig)


@pytest.mark.parametrize("strategy", USING_SCORES)
def test_nan_scores_are_refused_with_the_sample_ids(strategy):
    pool = make_pool(20)
    for values in pool.scores.values():
        values[[3, 7]] = np.nan
    with pytest.raises(NonFiniteScoresError) as caught:
        strategy().select(pool, 5, np.random.default_rng(0))
    assert caught.value.sample_ids == [20, 32]


@pytest.mark.parametrize("bad", [np.inf, np.nan])
@pytest.mark.parametrize("strategy", USING_EMBEDDINGS)
def test_embeddings_that_are_not_finite_are_refused_with_the_sample_ids(strategy, bad):
    pool = make_pool(20)
    pool.table[4] = bad
    with pytest.raises(NonFiniteScoresError) as caught:
        strategy().select(pool, 5, np.random.default_rng(0))
    assert caught.value.sample_ids == [23]


@pytest.mark.parametrize("strategy", USING_PROBABILITIES)
def test_nan_probabilities_are_refused_with_the_sample_ids(strategy):
    pool = make_pool(20)
    pool.probability_table[pool.score_rows[6]] = np.nan
    with pytest.raises(NonFiniteScoresError) as caught:
        strategy().select(pool, 5, np.random.default_rng(0))
    assert caught.value.sample_ids == [29]


def test_infinite_scores_by_class_are_refused_with_the_sample_ids():
    pool = make_pool(20, strata=True)
    pool.stratum_table[pool.score_rows[6], 1] = np.inf
    with pytest.raises(NonFiniteScoresError) as caught:
        ClaspPE().select(pool, 5, np.random.default_rng(0))
    assert caught.value.sample_ids == [29]


@pytest.mark.parametrize("strategy", [Badge, MaxHerding, TypiClust, UHerding])
def test_without_embeddings_the_reason_says_so_and_entropy_chooses(strategy):
    pool = make_pool(20, embeddings=False)
    selection = strategy().select(pool, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(selection.indices, np.argsort(-pool.scores["entropy"])[:3])
    assert all(reason.startswith("no embeddings yet: uncertain: entropy") for reason in selection.reasons)


@pytest.mark.parametrize("strategy", [Bald, Entropy, LeastConfidence, Margin, Power, UHerding])
def test_without_scores_the_reason_says_so_and_coverage_chooses(strategy):
    selection = strategy().select(make_pool(20, scores=False), 3, np.random.default_rng(0))
    assert selection.reasons == ["no scores yet: covers an unlabelled part of the pool"] * 3


def test_without_anything_the_reason_says_what_was_missing():
    pool = make_pool(20, scores=False, embeddings=False, probabilities=False)
    reasons = {name().select(pool, 1, np.random.default_rng(0)).reasons[0] for name in ALL}
    assert reasons == {
        "random control",
        "no embeddings yet: random",
        "no scores yet: random",
        "no predicted classes yet: no scores yet: random",
    }


def test_bald_without_an_ensemble_falls_back_to_entropy_and_says_so():
    pool = make_pool(20)
    del pool.scores["bald"]
    for strategy in (Bald(), Power(score="bald", beta=10_000)):
        selection = strategy.select(pool, 3, np.random.default_rng(0))
        np.testing.assert_array_equal(selection.indices, np.argsort(-pool.scores["entropy"])[:3])
        assert all(reason.startswith("no BALD score yet: ") for reason in selection.reasons)


def test_badge_without_probabilities_covers_and_says_so():
    selection = Badge().select(make_pool(20, probabilities=False), 2, np.random.default_rng(0))
    assert selection.reasons == ["no class probabilities yet: covers an unlabelled part of the pool"] * 2


def test_temperature_without_probabilities_is_said_to_be_left_out():
    selection = UHerding(temperature=2.0).select(make_pool(20, probabilities=False), 2, np.random.default_rng(0))
    assert all(reason.startswith("no class probabilities for a temperature: ") for reason in selection.reasons)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "power", "beta": -0.5}',
        '{"type": "power", "beta": 1e9}',
        '{"type": "power", "score": "doubt"}',
        '{"type": "clasp_pe", "first_beta": 0}',
        '{"type": "clasp_pe", "schedule_labels": 0}',
        '{"type": "typiclust", "neighbours": 0}',
        '{"type": "u_herding", "temperature": 0}',
        '{"type": "max_herding", "radius": 1000}',
        '{"type": "auto", "many_labels": 0}',
        '{"type": "random", "surprise": 1}',
    ],
)
def test_option_out_of_range_is_refused(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=StrategyConfig)


@given(values=st.lists(st.integers(0, 5), min_size=1, max_size=40), data=st.data())
@settings(max_examples=examples(50), deadline=None)
def test_highest_returns_the_largest_values_in_order(values, data):
    array = np.array(values, np.float32)
    size = data.draw(st.integers(1, len(values)))
    picks = highest(array, size, np.random.default_rng(0))
    assert len(set(picks.tolist())) == size
    assert array[picks].tolist() == sorted(values, reverse=True)[:size]
