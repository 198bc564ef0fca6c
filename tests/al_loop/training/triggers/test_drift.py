"""The two-sample test on embeddings."""

import numpy as np

from al_loop.training.triggers.drift import tell_apart


def rows(count: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, 32)).astype(np.float32)
    values[:, :8] += shift
    return values


def test_images_of_one_kind_are_not_told_apart() -> None:
    found = [tell_apart(rows(80, seed=seed), rows(40, seed=100 + seed)) for seed in range(8)]
    assert all(entry.auc < 0.7 for entry in found)
    assert sum(entry.p_value <= 0.05 for entry in found) <= 2


def test_images_of_another_kind_are_told_apart_and_more_so_the_further_they_are() -> None:
    near, far = (tell_apart(rows(80), rows(40, shift, 1)) for shift in (0.7, 3.0))
    assert near.chance < near.auc < far.auc
    assert far.auc > 0.99
    assert far.p_value == near.p_value == 1 / 200


def test_same_rows_give_the_same_answer_and_flat_ones_give_chance() -> None:
    assert tell_apart(rows(30), rows(25, 1.0, 1)) == tell_apart(rows(30), rows(25, 1.0, 1))
    flat = np.zeros((30, 4), np.float32)
    assert tell_apart(flat, flat[:25]).p_value > 0.05
