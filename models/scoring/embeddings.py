"""Embeddings of a version as one table, joined from the parts of pool scoring (files: `models.scoring.spec`)."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import ScoringError
from models.scoring.spec import EMBEDDINGS_FILE, IDS_FILE, PROBABILITIES_FILE, STRATA_FILE, UNSURE_FILE, next_part

CACHED_VERSIONS = 2
"""Versions of a campaign kept in memory: the current one and the one before, while the pool is scored again."""


class Embeddings(NamedTuple):
    """Embeddings of one version, T samples."""

    sample_ids: NDArray[np.int64]
    """Shape (T,), ascending."""
    values: NDArray[np.floating]
    """Shape (T, D) float16, features float32, perhaps a read-only memory map."""
    probabilities: NDArray[np.floating] | None = None
    """Class probabilities, shape (T, K); None unless every part has them."""
    strata: NDArray[np.floating] | None = None
    """Highest entropy among the regions predicted as each class, background first, shape (T, K + 1), NaN where no
    region is; None unless every part has them."""
    unsure: NDArray[np.floating] | None = None
    """Share of the pixels by predicted class and bin of the margin score, shape (T, (K + 1) * B); None unless every
    part has them: those of earlier versions of al-loop have none."""


NO_EMBEDDINGS = Embeddings(np.empty(0, np.int64), np.empty((0, 0), np.float16))


class EmbeddingStore:
    """The embeddings of a campaign, assembled from the parts on disk and kept in memory. Safe to share by threads.

    A version in one part stays a memory map; several parts are joined in memory (256 MB for a million samples of 128
    values). A sample in several parts counts as the newest part has it.
    """

    def __init__(self, root: Path) -> None:
        """Use `root`, `<campaign dir>/scores`; it need not exist yet."""
        self._root = root
        self._lock = threading.Lock()
        self._loaded: dict[str, tuple[list[Path], Embeddings]] = {}

    def new_part(self, version: str) -> Path:
        """Make the directory of the next part of a version: `0001`, `0002`, ..."""
        part = next_part(self._root / version)
        part.mkdir()
        return part

    def parts(self, version: str) -> list[Path]:
        """The finished parts of a version, oldest first."""
        found = [ids.parent for ids in (self._root / version).glob(f"*/{IDS_FILE}")]
        return sorted((part for part in found if part.name.isdecimal()), key=lambda part: int(part.name))

    def load(self, version: str) -> Embeddings:
        """Raw embeddings of a version, `NO_EMBEDDINGS` if none are finished; `embedding_space` scales them.

        Raises:
            ScoringError: The parts do not fit together.
        """
        parts = self.parts(version)
        with self._lock:
            known = self._loaded.pop(version, None)
            if known is None or known[0] != parts:
                known = parts, _join(parts)
            self._loaded[version] = known  # to the end: the first is the least recently used
            while len(self._loaded) > CACHED_VERSIONS:
                del self._loaded[next(iter(self._loaded))]
            return known[1]


def _join(parts: Sequence[Path]) -> Embeddings:
    ids = [np.load(part / IDS_FILE) for part in parts]
    values = [np.load(part / EMBEDDINGS_FILE, mmap_mode="r") for part in parts]
    kept = [(some, rows, part) for some, rows, part in zip(ids, values, parts, strict=True) if len(some)]
    if not kept:
        return NO_EMBEDDINGS
    sizes = {rows.shape[1] for _, rows, _ in kept}
    if len(sizes) > 1 or any(len(some) != len(rows) for some, rows, _ in kept):
        raise ScoringError(f"the parts in {kept[0][2].parent} do not fit together; remove them and score again")
    order = None
    sample_ids = kept[0][0]
    if len(kept) > 1:  # newest first: np.unique keeps the first of equal ids
        sample_ids, order = np.unique(np.concatenate([some for some, _, _ in kept[::-1]]), return_index=True)
    joined = _rows([rows for _, rows, _ in kept], order)
    folders = [part for _, _, part in kept]
    return Embeddings(
        sample_ids,
        joined,
        _table(folders, PROBABILITIES_FILE, order),
        _table(folders, STRATA_FILE, order),
        _table(folders, UNSURE_FILE, order),
    )


def _rows(parts: Sequence[NDArray[np.floating]], order: NDArray[np.int64] | None) -> NDArray[np.floating]:
    """Rows of all parts, newest part first, in an order; the array itself of a single part."""
    return parts[0] if order is None else np.concatenate(parts[::-1])[order]


def _table(parts: Sequence[Path], name: str, order: NDArray[np.int64] | None) -> NDArray[np.floating] | None:
    """A table that lies beside the embeddings of each part; None if one lacks it or has other columns."""
    if not all((part / name).exists() for part in parts):
        return None
    tables = [np.load(part / name, mmap_mode="r") for part in parts]
    return _rows(tables, order) if len({table.shape[1] for table in tables}) == 1 else None
