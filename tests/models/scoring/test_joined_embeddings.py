"""The joined space on disk follows what pool scoring writes."""

from pathlib import Path

import numpy as np

from models.scoring.embeddings import EmbeddingStore
from models.scoring.joined_embeddings import SpaceStore
from models.scoring.spec import EMBEDDINGS_FILE, IDS_FILE


def add_part(root: Path, sample_ids: list[int], values: np.ndarray) -> None:
    part = EmbeddingStore(root).new_part("features")
    np.save(part / EMBEDDINGS_FILE, values.astype(np.float32))
    np.save(part / IDS_FILE, np.array(sample_ids, np.int64))


def test_samples_scored_again_in_a_later_part_are_projected_again(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((40, 5))
    add_part(tmp_path, list(range(40)), values)
    spaces = SpaceStore(tmp_path)
    first = spaces.load(["features"])
    add_part(tmp_path, [3, 40], np.stack([values[7], values[8]]))  # 3 now looks like 7; 40 is new and looks like 8
    again = spaces.load(["features"])
    assert again.sample_ids.tolist() == list(range(41))
    np.testing.assert_array_equal(again.values[3], first.values[7])
    np.testing.assert_array_equal(again.values[40], first.values[8])
    np.testing.assert_array_equal(again.values[4:40], first.values[4:40])


def test_nothing_is_written_while_nothing_is_new(tmp_path: Path) -> None:
    add_part(tmp_path, list(range(9)), np.random.default_rng(0).standard_normal((9, 4)))
    SpaceStore(tmp_path).load(["features"])
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    SpaceStore(tmp_path).load(["features"])
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before
