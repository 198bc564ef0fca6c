"""The first labels go to the middle of each part of the pool, parts without a label first."""

import numpy as np
import pytest

from al_loop.querying.strategies.by_cluster import central
from al_loop.scoring.pool_scores import Candidates
from models.errors import NonFiniteScoresError
from tests.al_loop.querying.strategies.test_laws import make_pool

GROUPS = 4
MEMBERS = 50


def make_groups(covered: list[int]) -> Candidates:
    """Four far groups of 50 samples; the first of each lies in its middle, and samples of `covered` are labelled."""
    offsets = np.random.default_rng(0).normal(0, 0.3, (MEMBERS - 1, 6))
    group = np.concatenate([np.zeros((1, 6)), offsets - offsets.mean(axis=0)])
    table = np.concatenate([group + 10 * np.eye(6)[number] for number in range(GROUPS)]).astype(np.float32)
    rows = np.setdiff1d(np.arange(len(table)), covered)
    return Candidates(sample_ids=rows, table=table, rows=rows, covered_rows=np.array(covered, np.int64))


@pytest.mark.parametrize("seed", range(5))
def test_the_middle_of_each_group_is_asked_about(seed):
    pool = make_groups([])
    found = central(pool, GROUPS, np.random.default_rng(seed))
    assert sorted(pool.sample_ids[found.indices].tolist()) == [0, 50, 100, 150]
    assert set(found.reasons) == {"central in a group of 25.0 % of the pool, none labelled in it"}


@pytest.mark.parametrize("seed", range(5))
def test_groups_without_a_label_come_first(seed):
    pool = make_groups([0, 50])
    found = central(pool, 2, np.random.default_rng(seed))
    assert sorted(pool.sample_ids[found.indices].tolist()) == [100, 150]


def test_a_query_larger_than_the_clusters_takes_turns():
    pool = make_pool(400, scores=False, covered=10)
    found = central(pool, 300, np.random.default_rng(0))
    assert len(np.unique(found.indices)) == 300


def test_samples_that_are_all_alike_are_still_chosen():
    pool = Candidates(sample_ids=np.arange(30), table=np.zeros((30, 4), np.float32), rows=np.arange(30))
    assert len(np.unique(central(pool, 30, np.random.default_rng(0)).indices)) == 30


def test_broken_embeddings_are_named():
    table = np.zeros((30, 4), np.float32)
    table[7] = np.nan
    with pytest.raises(NonFiniteScoresError, match="7"):
        central(Candidates(sample_ids=np.arange(30), table=table, rows=np.arange(30)), 3, np.random.default_rng(0))
