"""Picks ranked ahead are handed on until the list is used up."""

import numpy as np

from al_loop.domain.queries import Pick
from al_loop.querying.rankings import RankedList, rank
from al_loop.querying.strategies import Auto, Random
from al_loop.scoring.pool_scores import PoolScores
from models.arrays import NO_IDS

POOL = np.arange(100, 200)


def ranked(size: int, covered: int = 0, **more) -> RankedList:
    return rank(Random(), PoolScores(), POOL, np.arange(covered), size, np.random.default_rng(0), **more)


def among(pool):
    return lambda ids: np.isin(ids, pool)


def without(pool, picks):
    return np.setdiff1d(pool, [pick.sample_id for pick in picks])


def test_next_query_gets_the_next_picks():
    ranking = ranked(10, covered=80)
    first = ranking.still_free(among(POOL))[:10]
    rest = without(POOL, first)
    second = ranking.still_free(among(rest))[:10]
    assert len({pick.sample_id for pick in first + second}) == 20


def test_taken_picks_are_passed_over_and_those_left_out_stay_for_others():
    ranking = ranked(10, covered=80)
    first = ranking.still_free(among(POOL))
    rest = without(POOL, first[3:4])
    assert ranking.still_free(among(rest)) == first[:3] + first[4:]
    left_out = {first[0].sample_id}
    assert ranking.still_free(among(rest), left_out) == first[1:3] + first[4:]
    assert ranking.still_free(among(rest)) == first[:3] + first[4:]


def test_short_pool_gives_all_it_has():
    ranking = rank(Random(), PoolScores(), POOL[:4], NO_IDS, 10, np.random.default_rng(0))
    assert {pick.sample_id for pick in ranking.still_free(among(POOL))} == set(POOL[:4].tolist())


def test_front_stays_in_front_and_what_follows_is_unlike_it():
    """Two clusters: what is about to be handed out lies in one, so the next pick comes from the other."""
    table = np.repeat(np.array([[0.0, 0.0], [9.0, 9.0]], np.float32), 50, axis=0)
    table += 0.01 * np.random.default_rng(0).standard_normal(table.shape).astype(np.float32)
    board = PoolScores(version="v1", sample_ids=POOL, table=table, rows=np.arange(100))
    front = [Pick(103, None, "first"), Pick(104, None, "first")]
    ranking = rank(Auto(), board, POOL, NO_IDS, 1, np.random.default_rng(0), front=front)
    picks = ranking.still_free(among(POOL))
    assert picks[:2] == front
    assert picks[2].sample_id >= 150
