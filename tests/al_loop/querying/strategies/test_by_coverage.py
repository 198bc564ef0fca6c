"""Coverage asks in every cluster, and where nobody asked yet."""

import numpy as np
import pytest

from al_loop.querying.strategies import (
    Auto,
    MaxHerding,
    TypiClust,
    UHerding,
)
from al_loop.scoring.pool_scores import Candidates
from tests.al_loop.querying.strategies.pools import clustered_pool, rng


@pytest.mark.parametrize("strategy", [Auto, MaxHerding, UHerding, TypiClust])
def test_coverage_without_a_model_asks_in_every_cluster(strategy):
    pool, clusters = clustered_pool(uncertain=None)
    picks = strategy().select(pool, 5, rng()).indices
    assert set(clusters[picks]) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("strategy", [Auto, MaxHerding, UHerding, TypiClust])
def test_coverage_does_not_repeat_what_is_labelled_or_leased(strategy):
    pool, clusters = clustered_pool(uncertain=None, covered=(0, 3))
    picks = strategy().select(pool, 3, rng()).indices
    assert set(clusters[picks]) == {1, 2, 4}


@pytest.mark.parametrize("strategy", [Auto(), UHerding(uncertainty="entropy")])
def test_weighted_coverage_asks_in_uncertain_clusters_but_not_one_only(strategy):
    pool, clusters = clustered_pool(uncertain=(1, 2))
    selection = strategy.select(pool, 4, rng())
    assert set(clusters[selection.indices]) == {1, 2}
    assert all("uncertain" in reason for reason in selection.reasons)


def test_auto_without_embeddings_says_that_it_chose_at_random():
    pool = Candidates(sample_ids=np.arange(9))
    assert Auto().select(pool, 2, rng()).reasons == ["no embeddings yet: random"] * 2
