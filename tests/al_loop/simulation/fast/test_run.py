"""Fast simulation on planted data."""

import numpy as np
import pytest

from al_loop.querying.strategies import Auto, Bald, Margin, Random
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.fast.run import play_fast


def planted(count: int = 400, classes: int = 4, size: int = 12) -> SimulatedPool:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((classes, size)) / np.sqrt(size)
    answers = rng.integers(0, classes, count)
    embeddings = centres[answers] + 1.2 * rng.standard_normal((count, size)) / np.sqrt(size)
    return SimulatedPool(
        embeddings=embeddings.astype(np.float16),
        targets=np.eye(classes, dtype=np.float32)[answers],
        reserve=rng.random(count) < 0.25,
    )


@pytest.mark.parametrize("strategy", [Random(), Margin(), Auto(), Bald()])
def test_more_labels_teach_more_and_equal_seeds_repeat(strategy):
    pool, told = planted(), []
    rounds = play_fast(pool, strategy, 3, [4, 20, 60], lambda number, record: told.append(number))
    again = play_fast(pool, strategy, 3, [4, 20, 60], lambda number, record: None)
    assert [record.labels for record in rounds] == [4, 20, 60]
    assert [record.value for record in rounds] == [record.value for record in again]
    assert rounds[-1].value > rounds[0].value
    assert len(rounds[-1].per_class) == 4
    assert told == [0, 1, 2]


def test_an_exhausted_pool_ends_the_run():
    pool = planted(40)
    most = int((~pool.reserve).sum())
    rounds = play_fast(pool, Random(), 0, [10, 1000, 2000], lambda number, record: None)
    assert [record.labels for record in rounds] == [10, most]


def test_pool_comes_back_from_disk(tmp_path):
    pool = planted()
    pool.write(tmp_path)
    again = SimulatedPool.read(tmp_path)
    np.testing.assert_array_equal(again.embeddings, pool.embeddings)
    np.testing.assert_array_equal(again.reserve, pool.reserve)
