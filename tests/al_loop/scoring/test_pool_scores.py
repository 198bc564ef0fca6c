"""Scores and embeddings of one version align by sample."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.scoring.pool_scores import PoolScores, build_pool_scores
from al_loop.scoring.task_ranks import ranks
from models.arrays import positions_of
from models.scoring.embeddings import NO_EMBEDDINGS, Embeddings


def scores_of(rows: list[tuple[int, str, float]]) -> pa.Table:
    ids, tasks, values = zip(*rows, strict=True)
    column = np.array(values, np.float32)
    return pa.table(
        {"sample_id": ids, "task": tasks, "least_confidence": column / 2, "margin": column / 4, "entropy": column}
    )


EMBEDDINGS = Embeddings(np.array([2, 5, 7, 9]), np.arange(8, dtype=np.float16).reshape(4, 2))


def test_scores_of_several_tasks_take_the_largest_rank_and_show_the_largest_entropy():
    """Classification's values are ten times those of segmentation; ranked, each task brings its most uncertain."""
    classification = [(2, "classification", 2.0), (5, "classification", 1.75), (7, "classification", 1.5)]
    segmentation = [(2, "segmentation", 0.125), (5, "segmentation", 0.0), (7, "segmentation", 0.25)]
    scores = build_pool_scores("v1", scores_of(sorted(classification + segmentation)), EMBEDDINGS)
    assert scores.sample_ids.tolist() == [2, 5, 7]
    assert scores.scores["entropy"].tolist() == [1.0, 0.5, 1.0]
    assert scores.entropies([2, 5, 7]) == [2.0, 1.75, 1.5]
    assert scores.rows.tolist() == [0, 1, 2]


def test_scores_of_one_task_keep_their_values():
    scores = build_pool_scores("v1", scores_of([(2, "segmentation", 0.75), (7, "segmentation", 0.5)]), EMBEDDINGS)
    assert scores.scores["entropy"].tolist() == [0.75, 0.5]
    assert scores.scores["margin"].tolist() == [0.1875, 0.125]


def test_tasks_on_different_samples_are_ranked_apart():
    rows = [(2, "classification", 2.0), (5, "classification", 1.0), (7, "segmentation", 0.1), (9, "segmentation", 0.2)]
    scores = build_pool_scores("v1", scores_of(rows), EMBEDDINGS)
    assert scores.scores["entropy"].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_task_that_is_equally_sure_of_everything_says_nothing():
    same = [(i, "segmentation", 0.5) for i in (2, 5, 7)]
    other = [(2, "classification", 0.1), (5, "classification", 0.3), (7, "classification", 0.2)]
    scores = build_pool_scores("v1", scores_of(sorted(same + other)), EMBEDDINGS)
    assert scores.scores["entropy"].tolist() == [0.0, 1.0, 0.5]


@given(values=st.lists(st.floats(0, 3, width=32), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_ranks_keep_the_order_in_zero_to_one(values):
    array = np.array(values, np.float32)
    found = ranks(array)
    assert ((found >= 0) & (found <= 1)).all()
    assert found.min() == 0
    order = np.argsort(array, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    np.testing.assert_array_equal(np.diff(found[order]) == 0, np.diff(array[order]) == 0)


def test_ranks_leave_what_is_not_finite_to_be_refused():
    found = ranks(np.array([0.5, np.nan, 0.1, np.inf], np.float32))
    np.testing.assert_array_equal(found, np.array([1, np.nan, 0, np.inf], np.float32))


def test_samples_without_embedding_or_score_are_left_out():
    scores = build_pool_scores("v1", scores_of([(1, "classification", 1), (5, "classification", 0.5)]), EMBEDDINGS)
    assert scores.sample_ids.tolist() == [5]
    assert scores.entropies([1, 5, 7]) == [None, 0.5, None]


def test_board_without_embeddings_has_scores_only():
    scores = build_pool_scores("v1", scores_of([(1, "classification", 1)]), NO_EMBEDDINGS)
    assert (scores.table, scores.sample_ids.tolist()) == (None, [1])


def test_features_have_embeddings_only():
    empty = scores_of([(1, "", 0)]).slice(0, 0)
    scores = build_pool_scores("features", empty, EMBEDDINGS)
    assert (dict(scores.scores), scores.sample_ids.tolist()) == ({}, [2, 5, 7, 9])
    assert build_pool_scores("features", empty, NO_EMBEDDINGS).version is None


def test_pool_has_the_scored_part_of_the_offer():
    scores = build_pool_scores("v1", scores_of([(i, "classification", i / 10) for i in (2, 5, 7, 9)]), EMBEDDINGS)
    pool, rest = scores.pool(np.array([1, 5, 9, 12]), covered=np.array([2, 3]))
    assert pool.sample_ids.tolist() == [5, 9]
    assert rest.tolist() == [1, 12]
    assert pool.scores["entropy"].tolist() == pytest.approx([0.5, 0.9])
    assert pool.embeddings(np.array([1])).tolist() == [[6, 7]]
    assert pool.covered(9, np.random.default_rng(0)).tolist() == [[0, 1]]


def test_positions_in_an_empty_board_are_none():
    positions, known = positions_of(np.array([3, 4]), PoolScores().sample_ids)
    assert (positions.tolist(), known.tolist()) == ([], [False, False])


def test_pool_passes_on_the_tables_and_what_the_scores_know():
    table = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], np.float16)
    scores = PoolScores(
        version="v1", sample_ids=np.array([3, 5, 8]), probability_table=table, score_rows=np.array([2, 0, 1]), skill=0.5
    )
    pool, _ = scores.pool(np.array([3, 8]), np.array([5]), labelled=7)
    assert pool.probabilities(np.array([0, 1])).round(1).tolist() == np.float32([[0.5, 0.5], [0.2, 0.8]]).tolist()
    assert (pool.labelled_count, pool.skill) == (7, 0.5)
    with pytest.raises(ValueError, match="score_rows"):
        PoolScores(probability_table=table)


def test_positions_in_ids_without_gaps_are_those_of_a_search():
    wanted = np.array([-1, 3, 4, 6, 7, 2**62])
    positions, known = positions_of(wanted, np.arange(3, 7))
    assert (positions.tolist(), known.tolist()) == ([0, 1, 3], [False, True, True, True, False, False])
