"""Picks ranked ahead are handed on until the pool changes in other ways."""

import numpy as np

from al_loop.ranking import Ranking
from al_loop.score_board import NO_IDS, ScoreBoard
from al_loop.strategies import Random

POOL = np.arange(100, 200)


def ranked(size: int, covered: int = 0) -> Ranking:
    return Ranking.of(Random(), ScoreBoard(), POOL, np.arange(covered), size, np.random.default_rng(0))


def without(pool, picks):
    return np.setdiff1d(pool, [sample_id for sample_id, _ in picks])


def test_next_query_gets_the_next_picks():
    ranking = ranked(10, covered=80)
    first = ranking.first(POOL, 10)
    second = ranking.first(without(POOL, first), 10)
    assert len({sample_id for sample_id, _ in first + second}) == 20


def test_ranking_that_ran_out_is_refused():
    ranking = ranked(10)
    assert ranking.first(without(POOL, ranking.first(POOL, 10)), 10) is None


def test_ranking_is_refused_when_many_samples_left_otherwise():
    assert ranked(10, covered=80).first(POOL[:-50], 5) is None
    assert ranked(10, covered=80).first(np.arange(100, 240), 5) is None


def test_taken_picks_are_passed_over():
    ranking = ranked(10, covered=80)
    first = ranking.first(POOL, 10)
    rest = without(POOL, first[3:4])
    assert ranking.first(rest, 9) == first[:3] + first[4:]


def test_short_pool_gives_all_it_has():
    ranking = Ranking.of(Random(), ScoreBoard(), POOL[:4], NO_IDS, 10, np.random.default_rng(0))
    assert {sample_id for sample_id, _ in ranking.first(POOL[:4], 10)} == set(POOL[:4].tolist())
