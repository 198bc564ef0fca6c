"""Results of one pool scoring, collected in arrays of fixed size and written to a part's files in one go."""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.files import write_atomically
from models.scoring.spec import EMBEDDINGS_FILE, IDS_FILE, SCORES_FILE, SKIPPED_FILE, SkippedSample
from models.tasks.task import Scores, Tables
from models.tasks.uncertainty import SCORE_NAMES


class ScoringResults:
    """Scores, embeddings and hashes of N samples; about 300 bytes a sample for embeddings of 128 values."""

    def __init__(self, sample_ids: NDArray[np.int64], tasks: list[str], embedding_type: type[np.floating]) -> None:
        """Make room for samples, given by ascending id, and for the named tasks ("" without any)."""
        self._sample_ids = sample_ids
        self._scores = {task: np.zeros((len(sample_ids), len(SCORE_NAMES)), np.float32) for task in tasks}
        self._hashes = np.zeros(len(sample_ids), "S32")
        self._contents = np.zeros(len(sample_ids), "S32")
        self._modified_ns = np.zeros(len(sample_ids), np.int64)
        self._done = np.zeros(len(sample_ids), np.bool_)
        self._embedding_type = embedding_type
        self._embeddings = np.empty((len(sample_ids), 0), embedding_type)
        self._tables: dict[str, NDArray[np.float16]] = {}
        self._skipped: list[SkippedSample] = []

    def record(
        self, rows: list[int], embeddings: NDArray[np.float32], scores: dict[str, Scores], tables: Tables | None = None
    ) -> None:
        """Store results.

        Args:
            rows: Positions of K samples.
            embeddings: Shape (K, D), finite.
            scores: Of each task, shape (K,) each.
            tables: The same of every call.
        """
        if self._embeddings.shape[1] == 0:
            self._embeddings = np.zeros((len(self._sample_ids), embeddings.shape[1]), self._embedding_type)
        limit = np.finfo(self._embedding_type).max
        self._embeddings[rows] = np.clip(embeddings, -limit, limit)
        for task, values in scores.items():
            self._scores[task][rows] = np.stack([values[name] for name in SCORE_NAMES], axis=1)
        for name, table in (tables or {}).items():
            if name not in self._tables:
                self._tables[name] = np.full((len(self._sample_ids), table.shape[1]), np.nan, np.float16)
            self._tables[name][rows] = table
        self._done[rows] = True

    def record_file(self, row: int, pixel_hash: str | None, content_hash: str | None, modified_ns: int) -> None:
        """Store what recognises the pixels of a sample, with and without their place, as far as it is known."""
        self._hashes[row] = (pixel_hash or "").encode()
        self._contents[row] = (content_hash or "").encode()
        self._modified_ns[row] = modified_ns

    def skip(self, row: int, reason: str, *, unreadable: bool = False, gone: bool = False) -> None:
        """Store why a sample could not be scored, and whether its file is damaged or gone."""
        sample_id = int(self._sample_ids[row])
        self._skipped.append(SkippedSample(sample_id=sample_id, reason=reason, unreadable=unreadable, gone=gone))

    @property
    def done_rows(self) -> NDArray[np.int64]:
        """Positions of the samples with results, ascending."""
        return np.flatnonzero(self._done)

    def write(self, directory: Path) -> None:
        """Write the files of a part; each appears whole, and the one that makes the part count comes last."""
        done = self.done_rows
        skipped = msgspec.json.format(msgspec.json.encode(self._skipped), indent=1)
        with write_atomically(directory / SKIPPED_FILE) as file:
            file.write(skipped)
        with write_atomically(directory / SCORES_FILE) as file:
            pq.write_table(self._table(done), file)
        with write_atomically(directory / EMBEDDINGS_FILE) as file:
            np.save(file, self._embeddings[done])
        for name, table in self._tables.items():
            with write_atomically(directory / f"{name}.npy") as file:
                np.save(file, table[done])
        with write_atomically(directory / IDS_FILE) as file:
            np.save(file, self._sample_ids[done])

    def _table(self, done: NDArray[np.int64]) -> pa.Table:
        hashes = [digest.decode() or None for digest in self._hashes[done].tolist()]  # none of features
        contents = [digest.decode() or None for digest in self._contents[done].tolist()]
        parts = []
        for task, values in self._scores.items():
            columns = {
                "sample_id": pa.array(self._sample_ids[done]),
                "task": pa.array([task] * len(done), pa.string()),
                "pixel_hash": pa.array(hashes, pa.string()),
                "content_hash": pa.array(contents, pa.string()),
                "modified_ns": pa.array(self._modified_ns[done]),
            }
            columns |= {name: pa.array(values[done, index]) for index, name in enumerate(SCORE_NAMES)}
            parts.append(pa.table(columns))
        return pa.concat_tables(parts)
