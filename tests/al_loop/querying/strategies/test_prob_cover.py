"""ProbCover takes balls that hold most."""

import numpy as np
import pytest

from al_loop.querying.strategies import (
    ProbCover,
)
from al_loop.querying.strategies.prob_cover import pure_radius
from tests.al_loop.querying.strategies.pools import embedded, rng


def test_prob_cover_takes_balls_that_hold_most():
    """Two groups of 60 and 20: the first pick covers the large one, the third finds nothing left."""
    table = np.repeat([[0.0, 0], [9, 9]], [60, 20], axis=0) + 0.01 * np.random.default_rng(0).random((80, 2))
    probabilities = np.full((80, 2), 0.5, np.float32)
    selection = ProbCover(purity=0.999).select(embedded(table, probability_table=probabilities), 3, rng())
    assert (selection.indices < 60).tolist()[:2] == [True, False]
    np.testing.assert_allclose(selection.utilities, [0.75, 0.25, 0], atol=0.02)  # one on the edge
    assert selection.reasons[2] == "all is covered: random"


def test_radius_is_the_largest_at_which_balls_are_pure():
    points = np.array([[0.0], [1], [2], [10], [11], [12]], np.float32)
    assert pure_radius(points, 2, 0.999, rng()) == pytest.approx(8)  # from 2 to 10
    assert pure_radius(points, 2, 0.5, rng()) == pytest.approx(9)
    assert pure_radius(np.ones((9, 2), np.float32), 3, 0.95, rng()) > 0
