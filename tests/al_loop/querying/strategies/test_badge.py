"""BADGE prefers samples that are uncertain and unlike each other."""

from dataclasses import replace

import numpy as np
import pytest

from al_loop.querying.strategies import (
    Badge,
)
from al_loop.querying.strategies.badge import gradient_seeds
from tests.al_loop.querying.strategies.pools import classified, rng


def test_badge_prefers_uncertain_and_diverse():
    """Ten directions, the first five unsure: unsure picks in different ones, and one at most for all sure samples.

    The gradients of sure samples lie together at the origin, so they are one more direction.
    """
    groups = np.repeat(np.arange(10), 20)
    table = np.eye(10, dtype=np.float32)[groups] + 0.01
    likely = np.where(groups < 5, 0.5, 0.999)
    pool = classified(np.stack([likely, 1 - likely], axis=1), table)
    for seed in range(5):
        picks = groups[Badge().select(pool, 5, rng(seed)).indices]
        unsure = picks[picks < 5]
        assert len(set(unsure)) == len(unsure) >= 4


def test_badge_turns_away_from_what_others_have_on_lease():
    """Four unsure directions; a sample of each of the first three is leased."""
    groups = np.repeat(np.arange(4), 20)
    table = np.eye(4, dtype=np.float32)[groups]
    leased = np.array([0, 20, 40])
    rest = np.setdiff1d(np.arange(80), leased)
    pool = replace(
        classified(np.full((80, 2), 0.5), table), sample_ids=rest, scores={}, rows=rest, score_rows=rest,
        covered_rows=leased, covered_score_rows=leased,
    )  # fmt: skip
    for seed in range(5):
        first = rest[Badge().select(pool, 1, rng(seed)).indices]
        assert groups[first].tolist() == [3]


def test_factorised_gradient_distances_equal_those_of_the_outer_products():
    draws = np.random.default_rng(0)
    probabilities = draws.dirichlet(np.ones(4), 40).astype(np.float32)
    embeddings = draws.standard_normal((40, 6)).astype(np.float32)
    chosen, distances = gradient_seeds(probabilities, embeddings, 12, rng())
    residuals = probabilities - np.eye(4, dtype=np.float32)[probabilities.argmax(axis=1)]
    gradients = (residuals[:, :, None] * embeddings[:, None, :]).reshape(40, -1)
    assert chosen[0] == np.square(gradients).sum(axis=1).argmax()
    for step in range(1, 12):
        near = np.square(gradients[chosen[:step]] - gradients[chosen[step]]).sum(axis=1).min()
        assert distances[step] == pytest.approx(near, rel=1e-3, abs=1e-4)
    chosen, distances = gradient_seeds(probabilities[7:], embeddings[7:], 9, rng(), (probabilities[:7], embeddings[:7]))
    picked = np.concatenate([np.arange(7), chosen + 7])
    for step in range(9):
        near = np.square(gradients[picked[: step + 7]] - gradients[picked[step + 7]]).sum(axis=1).min()
        assert distances[step] == pytest.approx(near, rel=1e-3, abs=1e-4)
