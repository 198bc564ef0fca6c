from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from al_loop.errors import ConflictError
from al_loop.querying.alike import alike
from al_loop.scoring.pool_scores import PoolScores
from al_loop.store.pool_index import PoolIndex

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_index(count: int = 6, reserve: tuple[int, ...] = ()) -> PoolIndex:
    ids = np.arange(1, count + 1, dtype=np.int64)
    paths = pa.chunked_array([[f"{number}.tif" for number in ids]], pa.string())
    index = PoolIndex()
    index.register(ids, paths, np.isin(ids, reserve), np.zeros(count, np.bool_))
    return index


def scores_at(*degrees: float) -> PoolScores:
    """Samples 1, 2, ... with embeddings at these angles."""
    angles = np.radians(degrees)
    table = np.column_stack([np.cos(angles), np.sin(angles)]) * np.arange(1, len(degrees) + 1)[:, None]
    ids = np.arange(1, len(degrees) + 1, dtype=np.int64)
    return PoolScores(version="features", sample_ids=ids, table=table.astype(np.float16), rows=np.arange(len(degrees)))


def test_nearest_come_first_whatever_their_length() -> None:
    found = alike(make_index(), scores_at(0, 90, 10, 180, 5, 40), 1, "ann", 3)
    assert [entry.sample_id for entry in found] == [5, 3, 6]
    assert found[0].similarity == pytest.approx(np.cos(np.radians(5)), abs=1e-3)
    assert found[0].path == "5.tif"


def test_what_others_hold_what_is_labelled_skipped_or_for_testing_is_left_out() -> None:
    index = make_index(8, reserve=(2, 8))
    index.hold(3, "bob", NOW + timedelta(hours=1))
    index.hold(4, "ann", NOW + timedelta(hours=1))
    index.hold(8, "ann", NOW + timedelta(hours=1))
    index.answer(5, "ann", "classification")
    index.skip(6, "ann")
    found = alike(index, scores_at(*range(8)), 1, "ann", 24)
    assert [entry.sample_id for entry in found] == [4, 7, 8]


def test_free_samples_that_are_answered_blind_are_left_out_so_that_absence_does_not_tell_the_reserve() -> None:
    index = make_index(8, reserve=(2,))
    index.hold(4, "ann", NOW + timedelta(hours=1))
    found = alike(index, scores_at(*range(8)), 1, "ann", 24, blind={3, 4, 6})
    assert [entry.sample_id for entry in found] == [4, 5, 7, 8]


def test_sample_without_an_embedding_is_a_conflict_that_says_so() -> None:
    with pytest.raises(ConflictError, match="sample 6 was not compared with others yet"):
        alike(make_index(), scores_at(0, 1), 6, "ann", 3)
    with pytest.raises(ConflictError):
        alike(make_index(), PoolScores(), 1, "ann", 3)
