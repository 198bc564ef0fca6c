"""Embeddings of cells on disk, beside those of the samples in a part (`models.scoring.embeddings`).

    cells.npy             (M, D), float16 of an encoder, float32 of features (raw, in the units of the bands)
    cell_index.npy        (M, 5) int64: sample_id, row, column, height, width, the latter four in pixels of the sample

Cells of a sample lie together, in row order, samples by ascending id. Cells without a valid pixel are left out.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from models.errors import ScoringError
from models.files import write_atomically
from models.scoring.cells.grid import Cells
from models.scoring.spec import IDS_FILE

CELLS_FILE = "cells.npy"
CELL_INDEX_FILE = "cell_index.npy"

SAMPLE, ROW, COLUMN, HEIGHT, WIDTH = range(5)
"""Columns of the index."""


class CellEmbeddings(NamedTuple):
    """Embeddings of the cells of many samples by one version."""

    cell_index: NDArray[np.int64]
    """Shape (M, 5), by sample, row and column."""
    values: NDArray[np.floating]
    """Shape (M, D), perhaps a read-only memory map."""


NO_CELLS = CellEmbeddings(np.empty((0, 5), np.int64), np.empty((0, 0), np.float16))


class CellWriter:
    """Writes the two files of a part while cells are described; memory does not grow with the pool."""

    def __init__(self, directory: Path, value_type: DTypeLike) -> None:
        """Write into an existing directory; nothing is there before the first cell."""
        self._files = ExitStack()
        self._values = self._files.enter_context(_growing_array(directory / CELLS_FILE, value_type))
        self._index = self._files.enter_context(_growing_array(directory / CELL_INDEX_FILE, np.int64))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the files in place, or after an error leave none."""
        self._files.__exit__(kind, error, trace)

    def add(self, sample_id: int, cells: Cells, values: NDArray[np.float32]) -> None:
        """Append cells (K, 4) of one sample and their embeddings (K, D), finite; samples come by ascending id."""
        if len(cells):
            self._values.append(values)
            self._index.append(np.column_stack([np.full(len(cells), sample_id), cells]))


def load_cells(parts: Sequence[Path]) -> CellEmbeddings:
    """Join the cells of a version's parts, oldest part first; a sample in several parts counts as the newest has it.

    A version in one part stays a memory map. Parts without cells, made before the campaign had a segmentation task,
    bring none.

    Args:
        parts: As `EmbeddingStore.parts` lists them.

    Raises:
        ScoringError: The parts do not fit together.
    """
    found: list[CellEmbeddings] = []
    newer: list[NDArray[np.int64]] = []
    for part in reversed(parts):
        if (part / CELLS_FILE).exists():
            index, values = np.load(part / CELL_INDEX_FILE), np.load(part / CELLS_FILE, mmap_mode="r")
            if len(index) != len(values):
                raise ScoringError(f"{CELLS_FILE} and {CELL_INDEX_FILE} in {part} differ in length; score again")
            replaced = np.isin(index[:, SAMPLE], np.concatenate(newer)) if newer else np.zeros(len(index), bool)
            found.append(CellEmbeddings(index[~replaced], values[~replaced] if replaced.any() else values))
        newer.append(np.load(part / IDS_FILE))
    found = [some for some in found if len(some.cell_index)]
    if not found:
        return NO_CELLS
    if len({some.values.shape[1] for some in found}) > 1:
        raise ScoringError(f"the parts in {parts[0].parent} do not fit together; remove them and score again")
    if len(found) == 1:
        return found[0]
    index = np.concatenate([some.cell_index for some in found])
    order = np.argsort(index[:, SAMPLE], kind="stable")
    return CellEmbeddings(index[order], np.concatenate([some.values for some in found])[order])


def common_cells(versions: Sequence[CellEmbeddings]) -> tuple[NDArray[np.int64], list[NDArray[np.floating]]]:
    """The cells that all versions could describe: index (M, 5), and embeddings (M, D) of each version."""
    bounds = 1 + np.max([some.cell_index.max(axis=0, initial=0) for some in versions], axis=0)
    keys = [_keys(some.cell_index, bounds) for some in versions]
    if all(np.array_equal(key, keys[0]) for key in keys):  # the usual case, without a copy
        return versions[0].cell_index, [some.values for some in versions]
    common = keys[0]
    for other in keys[1:]:
        common = np.intersect1d(common, other, assume_unique=True)
    rows = [np.searchsorted(key, common) for key in keys]
    return versions[0].cell_index[rows[0]], [some.values[row] for some, row in zip(versions, rows, strict=True)]


def _keys(index: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """One ascending number a cell, the same for the same sample, row and column."""
    return np.asarray((index[:, SAMPLE] * bounds[ROW] + index[:, ROW]) * bounds[COLUMN] + index[:, COLUMN])


@contextmanager
def _growing_array(path: Path, value_type: DTypeLike) -> Iterator["_GrowingArray"]:
    """A `.npy` file that rows are appended to; it appears, complete, after the block."""
    with write_atomically(path) as file:
        array = _GrowingArray(file, value_type)
        yield array
        array.complete()


class _GrowingArray:
    """Rows appended to an open `.npy` file; the header, of fixed length, is completed at the end."""

    def __init__(self, file: BinaryIO, value_type: DTypeLike) -> None:
        self._file, self._type = file, np.dtype(value_type)
        self._shape = (0, 0)

    def append(self, rows: NDArray[np.generic]) -> None:
        if self._shape == (0, 0):
            self._write_header((0, rows.shape[1]))
        limit = np.finfo(self._type).max if self._type.kind == "f" else np.iinfo(self._type).max
        self._file.write(np.ascontiguousarray(np.clip(rows, -limit, limit), self._type).data)
        self._shape = self._shape[0] + len(rows), rows.shape[1]

    def complete(self) -> None:
        self._file.seek(0)
        self._write_header(self._shape)  # NumPy leaves room for any number of rows

    def _write_header(self, shape: tuple[int, int]) -> None:
        description = {"descr": np.lib.format.dtype_to_descr(self._type), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, description)
