"""Fast simulation on planted data."""

import dataclasses

import numpy as np
import pytest

from al_loop.querying.strategies import Auto, Bald, ClaspPE, Margin, Random
from al_loop.simulation.fast.pool import SimulatedPool
from al_loop.simulation.fast.run import play_fast
from models.heads import linear_head as heads


def planted(count: int = 400, classes: int = 4, size: int = 12) -> SimulatedPool:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((classes, size)) / np.sqrt(size)
    answers = rng.integers(0, classes, count)
    embeddings = centres[answers] + 1.2 * rng.standard_normal((count, size)) / np.sqrt(size)
    return SimulatedPool(
        embeddings=embeddings.astype(np.float16),
        targets=np.eye(classes, dtype=np.float32)[answers],
        reserve=rng.random(count) < 0.25,
        weights=np.ones(count, np.float32),
    )


@pytest.mark.parametrize("strategy", [Random(), Margin(), Auto()])
def test_more_labels_teach_more_and_equal_seeds_repeat(strategy):
    pool, told = planted(), []
    rounds = play_fast(pool, strategy, 3, [4, 20, 60], "accuracy", lambda number, record: told.append(number))
    again = play_fast(pool, strategy, 3, [4, 20, 60], "accuracy", lambda number, record: None)
    assert [record.labels for record in rounds] == [4, 20, 60]
    assert [record.value for record in rounds] == [record.value for record in again]
    assert rounds[-1].value > rounds[0].value
    assert len(rounds[-1].per_class) == 4
    assert told == [0, 1, 2]


def test_an_exhausted_pool_ends_the_run():
    pool = planted(40)
    most = int((~pool.reserve).sum())
    rounds = play_fast(pool, Random(), 0, [10, 1000, 2000], "accuracy", lambda number, record: None)
    assert [record.labels for record in rounds] == [10, most]


def test_pool_comes_back_from_disk(tmp_path):
    pool = planted()
    pool.write(tmp_path)
    again = SimulatedPool.read(tmp_path)
    np.testing.assert_array_equal(again.embeddings, pool.embeddings)
    np.testing.assert_array_equal(again.reserve, pool.reserve)


def test_miou_counts_pixels_of_regions():
    """Every region half of class 0, half of class 1: whatever is answered, one class is half right, one missed."""
    pool = planted(60, 2)
    targets = np.full((60, 2), 0.5, np.float32)
    mixed = SimulatedPool(
        embeddings=pool.embeddings, targets=targets, reserve=pool.reserve, weights=np.full(60, 100, np.float32)
    )
    rounds = play_fast(mixed, Random(), 0, [20], "miou", lambda number, record: None)
    assert 0.2 < rounds[0].value < 0.36


def chips_of(pool: SimulatedPool, size: int = 4) -> SimulatedPool:
    """The same data as cells of chips."""
    cells = np.arange(len(pool.weights)) // size
    return SimulatedPool(
        embeddings=pool.embeddings,
        targets=pool.targets,
        reserve=np.random.default_rng(1).random(cells[-1] + 1) < 0.25,
        weights=np.where(np.arange(len(cells)) % 5 == 0, 0, pool.weights),
        cells=cells,
        sample_embeddings=pool.embeddings.reshape(-1, size, pool.embeddings.shape[1]).mean(axis=1),
    )


@pytest.mark.parametrize("strategy", [Random(), Auto(), ClaspPE(), Bald()])
def test_chips_are_asked_about_and_their_cells_learned(strategy, tmp_path):
    chips_of(planted()).write(tmp_path)
    pool = SimulatedPool.read(tmp_path)
    rounds = play_fast(pool, strategy, 0, [3, 10, 1000], "miou", lambda number, record: None)
    assert [record.labels for record in rounds] == [3, 10, int((~pool.reserve).sum())]
    areas = [record.area for record in rounds]
    assert areas[-1] == 1
    assert areas == sorted(areas)
    assert rounds[-1].value > rounds[0].value


def test_a_chip_of_one_cell_is_a_sample(monkeypatch):
    """Below the labels that cross-validation needs, whose folds depend on the order of rows; fits run to their end."""
    monkeypatch.setattr(heads, "TOLERANCE", 1e-6)
    pool = planted()
    single = dataclasses.replace(pool, cells=np.arange(len(pool.weights)), sample_embeddings=pool.embeddings)
    runs = [
        play_fast(some, Margin(), 0, [4, 12, 19], "accuracy", lambda number, record: None) for some in (pool, single)
    ]
    assert [record.value for record in runs[0]] == pytest.approx([record.value for record in runs[1]], abs=1e-6)
    assert [record.area for record in runs[0]] == [None] * 3
