"""Embeddings of cells on disk: written row by row, joined over parts, matched over versions."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import ScoringError
from models.scoring.cells.files import CELL_INDEX_FILE, CELLS_FILE, CellWriter, common_cells, load_cells
from models.scoring.spec import IDS_FILE

QUARTERS = np.array([[0, 0, 32, 32], [0, 32, 32, 32], [32, 0, 32, 32], [32, 32, 32, 32]])


def write_part(part: Path, sample_ids: list[int], value: float, cells: np.ndarray = QUARTERS, size: int = 3) -> Path:
    part.mkdir(parents=True)
    with CellWriter(part, np.float16) as writer:
        for sample_id in sample_ids:
            writer.add(sample_id, cells, np.full((len(cells), size), value, np.float32))
    np.save(part / IDS_FILE, np.array(sample_ids))
    return part


def test_a_part_is_written_row_by_row_and_read_as_a_memory_map(tmp_path):
    part = write_part(tmp_path / "1", list(range(2000)), 1e6)
    index, values = load_cells([part])
    assert index.shape == (8000, 5)
    assert index[4:8].tolist() == [[1, *cell] for cell in QUARTERS.tolist()]
    assert isinstance(values, np.memmap)
    assert values.dtype == np.float16
    assert (values == np.finfo(np.float16).max).all()  # clipped, not infinite


def test_the_newest_part_has_the_cells_of_a_sample(tmp_path):
    parts = [write_part(tmp_path / "1", [2, 5, 9], 1), write_part(tmp_path / "2", [3, 5], 2, QUARTERS[:2])]
    index, values = load_cells(parts)
    assert index[:, 0].tolist() == [2] * 4 + [3] * 2 + [5] * 2 + [9] * 4
    assert values[:, 0].tolist() == [1] * 4 + [2] * 4 + [1] * 4


def test_parts_without_cells_bring_none_and_hide_older_ones(tmp_path):
    (tmp_path / "2").mkdir()
    np.save(tmp_path / "2" / IDS_FILE, np.array([5]))
    assert load_cells([tmp_path / "2"]).cell_index.shape == (0, 5)
    index, _ = load_cells([write_part(tmp_path / "1", [2, 5], 1), tmp_path / "2"])
    assert set(index[:, 0].tolist()) == {2}


def test_parts_of_different_embeddings_are_refused(tmp_path):
    parts = [write_part(tmp_path / "1", [1], 1), write_part(tmp_path / "2", [2], 1, size=4)]
    with pytest.raises(ScoringError, match="do not fit together"):
        load_cells(parts)


def test_nothing_is_left_of_a_part_that_failed(tmp_path):
    def fail() -> None:
        with CellWriter(tmp_path, np.float32) as writer:
            writer.add(1, QUARTERS, np.zeros((4, 3), np.float32))
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_pool_without_a_valid_cell_is_an_empty_part(tmp_path):
    part = write_part(tmp_path / "1", [], 1)
    assert len(load_cells([part]).cell_index) == 0
    assert (part / CELLS_FILE).exists()
    assert (part / CELL_INDEX_FILE).exists()


def test_versions_are_matched_by_cell(tmp_path):
    features = load_cells([write_part(tmp_path / "f", [1, 2, 3], 1)])
    encoder = load_cells([write_part(tmp_path / "e", [2, 3, 4], 2, QUARTERS[1:], size=5)])
    index, (first, second) = common_cells([features, encoder])
    assert index.tolist() == [[sample, *cell] for sample in (2, 3) for cell in QUARTERS[1:].tolist()]
    assert first.shape == (6, 3)
    assert second.shape == (6, 5)
    assert common_cells([features])[1][0] is features.values
