"""Images to ask about points of, by the counts of their unsure pixels."""

import dataclasses

import numpy as np
import pytest

from al_loop.querying.strategies import Auto, ClaspPE, Margin
from al_loop.querying.strategies.unsure_images import (
    LEAST_SURE_SHARE,
    NOT_COUNTED,
    ROWS_AT_ONCE,
    expected_shares,
    most_asked,
)
from al_loop.scoring.pool_scores import Candidates
from models.tasks.unsure_pixels import BINS
from tests.al_loop.querying.strategies.test_laws import make_pool


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def counts(unsure: np.ndarray) -> np.ndarray:
    """Of images all of whose pixels are of one class: a share of them least sure, the rest sure; (N, BINS)."""
    table = np.zeros((len(unsure), BINS))
    table[:, -1], table[:, 0] = unsure, 1 - unsure
    return table


def pool_of(table: np.ndarray | None, *, about_points: bool = True) -> Candidates:
    pool = make_pool(200, strata=True, covered=10)
    return dataclasses.replace(pool, unsure_table=table, about_points=about_points)


def test_images_share_the_points_by_their_least_sure_pixels() -> None:
    expected = expected_shares(counts(np.array([0.3, 0.1, 0.0, 0.0])), np.arange(4))
    # The pool's least sure 15 % are 0.6 images: all of the 0.4 in the last bin, then 0.2 anywhere in the first bin.
    np.testing.assert_allclose(expected.sum(), 1)
    rest = (LEAST_SURE_SHARE * 4 - 0.4) / 3.6 * np.array([0.7, 0.9, 1, 1])
    np.testing.assert_allclose(expected, (np.array([0.3, 0.1, 0, 0]) + rest) / (LEAST_SURE_SHARE * 4))


def test_classes_take_equal_turns_however_few_pixels_they_have() -> None:
    table = np.zeros((3, 2, BINS))
    table[0, 0, 0], table[1, 0, 0] = 1, 1
    table[2, 0, 0], table[2, 1, 3] = 0.99, 0.01  # the only image with the second class
    expected = expected_shares(table.reshape(3, -1), np.arange(3))
    assert expected[2] == pytest.approx(0.5 + 0.5 * 0.99 / 2.99)


def test_shares_add_up_over_parts_of_a_large_pool_and_rows_are_as_asked() -> None:
    table = rng().random((ROWS_AT_ONCE + 50, 2 * BINS)).astype(np.float16)
    order = rng().permutation(len(table))
    expected = expected_shares(table, order)
    np.testing.assert_allclose(expected[np.argsort(order)], expected_shares(table, np.arange(len(table))), rtol=1e-5)
    assert expected.sum() == pytest.approx(1)


def test_images_without_counts_are_asked_last_and_broken_ones_count_as_none() -> None:
    table = np.repeat(counts(np.array([0.5])), 5, axis=0)
    table[1], table[2] = np.nan, 0
    table[3, 0] = np.inf
    expected = expected_shares(table, np.arange(5))
    assert expected[1] == expected[2] == 0
    assert np.isfinite(expected).all()
    assert set(most_asked(expected, 400, rng())[-2:].tolist()) == {1, 2}


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_without_any_count_all_images_are_alike(value: float) -> None:
    np.testing.assert_allclose(expected_shares(np.full((4, BINS), value), np.arange(4)), 0.25)


def test_auto_asks_about_points_of_images_with_many_unsure_pixels() -> None:
    table = np.tile(counts(np.zeros(202)), (1, 2)) / 2
    pool = pool_of(table)
    assert pool.score_rows is not None
    table[pool.score_rows[7:47]] = np.tile(counts(np.ones(40)), (1, 2)) / 2
    found = Auto().select(pool, 12, rng())
    assert set(found.indices.tolist()) <= set(range(7, 47))
    assert all(reason.startswith("unsure pixels: asked about") for reason in found.reasons)
    assert found.utilities.dtype == np.float32
    assert found.reasons[0] == "unsure pixels: asked about 5.0 times as often as the mean image"
    every = Auto().select(pool, 500, rng())
    assert sorted(every.indices.tolist()) == list(range(200))


def test_equal_seeds_choose_equally() -> None:
    pool = pool_of(rng().random((202, 3 * BINS)).astype(np.float16))
    first, second = (Auto().select(pool, 20, rng()).indices for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_queries_about_images_and_other_strategies_look_at_no_counts() -> None:
    table = rng().random((202, 3 * BINS)).astype(np.float16)
    alike = (Auto().select(pool_of(some, about_points=False), 10, rng()).reasons for some in (table, None))
    assert len(set(map(tuple, alike))) == 1
    for strategy in (Margin(), ClaspPE()):
        assert not any("unsure pixels" in reason for reason in strategy.select(pool_of(table), 10, rng()).reasons)


def test_points_are_asked_of_random_images_while_nothing_was_counted() -> None:
    assert set(Auto().select(pool_of(None), 10, rng()).reasons) == {NOT_COUNTED}


def test_before_the_first_scores_points_are_asked_of_central_images() -> None:
    pool = dataclasses.replace(make_pool(300, scores=False, covered=20), about_points=True)
    assert all(reason.startswith("central") for reason in Auto().select(pool, 10, rng()).reasons)


def test_chance_goes_on_where_it_did_better() -> None:
    pool = dataclasses.replace(pool_of(rng().random((202, 3 * BINS))), worse_than_random=True)
    assert set(Auto().select(pool, 10, rng()).reasons) == {"chance has done better so far: random"}
