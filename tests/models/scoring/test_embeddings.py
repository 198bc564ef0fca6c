"""Embeddings on disk: parts join by sample, the newest wins, unfinished parts do not count."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import ScoringError
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import EMBEDDINGS_FILE, FEATURES, IDS_FILE


def write_part(store: EmbeddingStore, version: str, ids: list[int], value: float, size: int = 3) -> Path:
    part = store.new_part(version)
    np.save(part / EMBEDDINGS_FILE, np.full((len(ids), size), value, np.float16))
    np.save(part / IDS_FILE, np.array(ids, np.int64))
    return part


def test_load_without_parts_is_empty(tmp_path):
    sample_ids, values, *_ = EmbeddingStore(tmp_path / "scores").load("v1")
    assert len(sample_ids) == len(values) == 0


def test_single_part_stays_a_memory_map(tmp_path):
    store = EmbeddingStore(tmp_path)
    write_part(store, "v1", [2, 5], 1)
    assert isinstance(store.load("v1").values, np.memmap)
    assert store.load("v1") is store.load("v1")


def test_newest_part_wins(tmp_path):
    store = EmbeddingStore(tmp_path)
    write_part(store, "v1", [2, 5], 1)
    assert store.load("v1").sample_ids.tolist() == [2, 5]
    write_part(store, "v1", [3, 5], 2)
    write_part(store, "v2", [2], 9)
    sample_ids, values, *_ = store.load("v1")
    assert sample_ids.tolist() == [2, 3, 5]
    assert values[:, 0].tolist() == [1, 2, 2]


def test_parts_are_ordered_by_number_past_9999(tmp_path):
    store = EmbeddingStore(tmp_path)
    write_part(store, "v1", [1], 1).rename(tmp_path / "v1" / "9999")
    write_part(store, "v1", [1], 2)
    assert [part.name for part in store.parts("v1")] == ["9999", "10000"]
    assert store.load("v1").values[0, 0] == 2


def test_unfinished_part_is_ignored(tmp_path):
    store = EmbeddingStore(tmp_path)
    write_part(store, "v1", [2], 1)
    (write_part(store, "v1", [3], 1) / IDS_FILE).unlink()
    assert store.load("v1").sample_ids.tolist() == [2]


def test_parts_of_different_sizes_are_refused(tmp_path):
    store = EmbeddingStore(tmp_path)
    write_part(store, "v1", [2], 1)
    write_part(store, "v1", [3], 1, size=4)
    with pytest.raises(ScoringError, match="score again"):
        store.load("v1")


def test_features_come_as_they_are_on_disk(tmp_path):
    store = EmbeddingStore(tmp_path)
    raw = 1e4 * np.random.default_rng(0).random((7, 4), np.float32)
    for ids in ([1, 2, 3], [4, 5, 6, 7]):
        part = store.new_part(FEATURES)
        np.save(part / EMBEDDINGS_FILE, raw[np.array(ids) - 1])
        np.save(part / IDS_FILE, np.array(ids, np.int64))
    np.testing.assert_array_equal(store.load(FEATURES).values, raw)


def test_parts_are_numbered_once_and_unfinished_ones_are_left_out(tmp_path: Path) -> None:
    """Parts of pool scoring were called `1`, `2`, ... once; what it is working on is called `.part-<number>`."""
    store = EmbeddingStore(tmp_path)
    for name in ("1", "2", ".part-3"):
        (tmp_path / "v1" / name).mkdir(parents=True)
        np.save(tmp_path / "v1" / name / IDS_FILE, np.arange(1))
    assert store.new_part("v1").name == "0003"
    assert [part.name for part in store.parts("v1")] == ["1", "2"]
