"""Core-set takes the farthest point first."""

import numpy as np
import pytest

from al_loop.querying.strategies import (
    CoreSet,
)
from al_loop.querying.strategies.core_set import farthest_first
from tests.al_loop.querying.strategies.pools import embedded, rng


def test_core_set_takes_the_farthest_point_first():
    line = np.array([[0.0], [1], [2], [9], [10], [4.5]])
    assert CoreSet().select(embedded(line, 1), 2, rng()).indices.tolist() == [4, 0]  # 4.5 is labelled
    selection = CoreSet().select(embedded(line[[3, 0, 1, 4]], 1), 3, rng())
    assert selection.indices[0] == 1
    assert selection.utilities.tolist() == [10, 1, 1]


def test_core_set_distances_fall_and_are_those_to_the_nearest_centre():
    values = np.random.default_rng(0).standard_normal((80, 5)).astype(np.float32)
    chosen, farthest = farthest_first(values, np.full(80, np.inf, np.float32), 30)
    assert (np.diff(farthest[1:]) <= 1e-4).all()
    for step in range(1, 30):
        near = np.linalg.norm(values[chosen[:step]] - values[chosen[step]], axis=1).min()
        assert farthest[step] == pytest.approx(near, rel=1e-3)
