"""One contract for every query strategy, and what each does beyond it."""

import typing

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.errors import EmptyPoolError, NonFiniteScoresError
from al_loop.scored_pool import ScoredPool, highest
from al_loop.strategies import Auto, Entropy, LeastConfidence, Margin, StrategyConfig

ALL = typing.get_args(StrategyConfig)
USING_SCORES = [Auto, Entropy, LeastConfidence, Margin]
SCORES = ("least_confidence", "margin", "entropy")


def make_pool(
    count: int, *, seed: int = 0, scores: bool = True, embeddings: bool = True, covered: int = 0
) -> ScoredPool:
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((count + covered, 6)).astype(np.float16)
    return ScoredPool(
        sample_ids=np.arange(count) * 3 + 11,
        scores={name: rng.random(count).astype(np.float32) for name in SCORES} if scores else {},
        table=table if embeddings else None,
        rows=np.arange(count) if embeddings else None,
        covered_rows=np.arange(count, count + covered) if embeddings else None,
    )


@pytest.mark.parametrize("strategy", ALL)
@given(
    count=st.integers(1, 80),
    query_size=st.integers(1, 100),
    scores=st.booleans(),
    embeddings=st.booleans(),
    covered=st.integers(0, 5),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_selection_is_a_unique_subset_equal_for_equal_seeds(
    strategy, count, query_size, scores, embeddings, covered, seed
):
    pool = make_pool(count, seed=seed, scores=scores, embeddings=embeddings, covered=covered)
    first, again = (strategy().select(pool, query_size, np.random.default_rng(seed)) for _ in range(2))
    size = min(query_size, count)
    assert first.indices.shape == first.utilities.shape == (size,)
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


@pytest.mark.parametrize("strategy", ALL)
def test_equal_scores_are_resolved_at_random(strategy):
    """Two hundred twins: another seed chooses others, and the first rows are not preferred."""
    count = 200
    pool = ScoredPool(
        sample_ids=np.arange(count),
        scores={name: np.full(count, 0.5, np.float32) for name in SCORES},
        table=np.zeros((count, 4), np.float32),
        rows=np.arange(count),
    )
    picks = [strategy().select(pool, 10, np.random.default_rng(seed)).indices for seed in range(30)]
    assert len({tuple(pick) for pick in picks}) == 30
    assert 60 < np.concatenate(picks).mean() < 140


@pytest.mark.parametrize("strategy", ALL)
def test_strategy_survives_json(strategy):
    encoded = msgspec.json.encode(strategy())
    assert msgspec.json.decode(encoded, type=StrategyConfig) == strategy()


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


def test_infinite_embeddings_are_refused_with_the_sample_ids():
    pool = make_pool(20)
    pool.table[4] = np.inf
    with pytest.raises(NonFiniteScoresError) as caught:
        Auto().select(pool, 5, np.random.default_rng(0))
    assert caught.value.sample_ids == [23]


@pytest.mark.parametrize(
    ("strategy", "name"), [(LeastConfidence, SCORES[0]), (Margin, SCORES[1]), (Entropy, SCORES[2])]
)
def test_uncertainty_strategies_choose_the_highest_score(strategy, name):
    pool = make_pool(50)
    selection = strategy().select(pool, 7, np.random.default_rng(0))
    np.testing.assert_array_equal(selection.indices, np.argsort(-pool.scores[name])[:7])
    top = pool.scores[name].max()
    assert selection.reasons[0] == f"uncertain: {name.replace('_', ' ')} {top:.2f} (top 2 %)"


def test_auto_without_a_model_covers_every_cluster():
    pool, clusters = clustered_pool(uncertain=None)
    picks = Auto().select(pool, 5, np.random.default_rng(1)).indices
    assert set(clusters[picks]) == {0, 1, 2, 3, 4}


def test_auto_does_not_repeat_what_is_labelled_or_leased():
    pool, clusters = clustered_pool(uncertain=None, covered=(0, 3))
    picks = Auto().select(pool, 3, np.random.default_rng(1)).indices
    assert set(clusters[picks]) == {1, 2, 4}


def test_auto_with_a_model_asks_in_uncertain_clusters_but_not_one_only():
    pool, clusters = clustered_pool(uncertain=(1, 2))
    selection = Auto().select(pool, 4, np.random.default_rng(1))
    assert set(clusters[selection.indices]) == {1, 2}
    assert all("uncertain" in reason for reason in selection.reasons)


def test_auto_without_embeddings_says_that_it_chose_at_random():
    selection = Auto().select(make_pool(9, scores=False, embeddings=False), 2, np.random.default_rng(0))
    assert selection.reasons == ["features not ready: random"] * 2


def clustered_pool(uncertain: tuple[int, ...] | None, covered: tuple[int, ...] = ()) -> tuple[ScoredPool, np.ndarray]:
    """Five tight clusters of 40 samples; those named in `covered` have one labelled sample each."""
    rng = np.random.default_rng(0)
    centres = 5 * np.eye(5, 8, dtype=np.float32)
    clusters = np.repeat(np.arange(5), 40)
    table = centres[clusters] + 0.1 * rng.standard_normal((200, 8)).astype(np.float32)
    table = np.concatenate([table, centres[list(covered)]])
    scores = {} if uncertain is None else {"entropy": np.isin(clusters, uncertain).astype(np.float32)}
    pool = ScoredPool(
        sample_ids=np.arange(200),
        scores=scores,
        table=table,
        rows=np.arange(200),
        covered_rows=np.arange(200, 200 + len(covered)),
    )
    return pool, clusters


@given(values=st.lists(st.integers(0, 5), min_size=1, max_size=40), data=st.data())
@settings(max_examples=50, deadline=None)
def test_highest_returns_the_largest_values_in_order(values, data):
    array = np.array(values, np.float32)
    size = data.draw(st.integers(1, len(values)))
    picks = highest(array, size, np.random.default_rng(0))
    assert len(set(picks.tolist())) == size
    assert array[picks].tolist() == sorted(values, reverse=True)[:size]
