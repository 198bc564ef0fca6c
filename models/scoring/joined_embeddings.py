"""The joined embeddings of a campaign on disk: several kinds in one space, kept up to date as samples come in.

A space is a directory of parts like those of pool scoring (`models.scoring.spec`), with the numbers that made it. It is
fitted once, on raw embeddings, so that every sample lies in one basis; it is made again when other kinds of embeddings
are to be joined, or when the pool has grown by a fifth.
"""

import threading
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.arrays import NO_IDS, positions_of
from models.files import write_atomically
from models.scoring.embedding_space import EmbeddingSpace, fit_space
from models.scoring.embeddings import NO_EMBEDDINGS, Embeddings, EmbeddingStore
from models.scoring.spec import EMBEDDINGS_FILE, FROZEN, IDS_FILE

SPACE_FILE = "space.npz"
MADE_FILE = "made.json"
GROWTH = 1.2
"""A space fitted on N samples serves up to this many times N."""


FORMAT = 2
"""Of what is on disk: spaces of format 1 were fitted on features that were standardised beforehand."""


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    format: int = 1
    versions: list[str]
    parts: dict[str, int]
    """Finished parts of each version that are in the space."""
    fitted: int
    """Samples that it was fitted on."""


class SpaceStore:
    """The joined embeddings of one campaign. Safe to share by threads."""

    def __init__(self, root: Path) -> None:
        """Use `root`, `<campaign dir>/scores`, where the raw embeddings lie."""
        self._root = root
        self._store = EmbeddingStore(root)
        self._lock = threading.Lock()

    def name(self, versions: Sequence[str]) -> str:
        """Name of the space of these versions, as in "space.features+ssl-1": no version is called so."""
        return "space." + "+".join(versions)

    def load(self, versions: Sequence[str]) -> Embeddings:
        """Joined embeddings of the samples that all versions have embedded; `NO_EMBEDDINGS` if there are none.

        What is new is projected and written first. A million samples of 513 raw values take about ten seconds once and
        512 MB on disk; they stay a memory map while they are in one part.

        Raises:
            ScoringError: The parts on disk do not fit together.
            NonFiniteScoresError: Raw embeddings are NaN or infinite.
            OSError: The disk is full.
        """
        with self._lock:
            name = self.name(versions)
            parts = {version: len(self._store.parts(version)) for version in versions}
            made = self._made(name)
            if made is not None and made.parts == parts:
                return self._store.load(name)
            raw = [self._store.load(version) for version in versions]
            sample_ids = reduce(np.intersect1d, [kind.sample_ids for kind in raw])
            if not len(sample_ids):
                return NO_EMBEDDINGS
            space = None if made is None or len(sample_ids) > GROWTH * made.fitted else self._read_space(name)
            if space is None or made is None:
                self._forget(name)
                space = fit_space([_rows(kind, sample_ids) for kind in raw], leading_of(versions))
                made = _Made(format=FORMAT, versions=list(versions), parts=parts, fitted=len(sample_ids))
                self._write_space(name, space)
            else:
                sample_ids = sample_ids[self._is_new(name, versions, made, sample_ids)]
                made = msgspec.structs.replace(made, parts=parts)
            if len(sample_ids):
                self._write_part(name, sample_ids, space.apply([_rows(kind, sample_ids) for kind in raw]))
            with write_atomically(self._root / name / MADE_FILE) as file:
                file.write(msgspec.json.encode(made))
            return self._store.load(name)

    def _is_new(
        self, name: str, versions: Sequence[str], made: _Made, sample_ids: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which samples the space has not, or has as they were before a later part scored them again."""
        later = [part for version in versions for part in self._store.parts(version)[made.parts[version] :]]
        scored = np.concatenate([NO_IDS, *(np.load(part / IDS_FILE) for part in later)])
        return ~np.isin(sample_ids, self._store.load(name).sample_ids) | np.isin(sample_ids, scored)

    def _made(self, name: str) -> _Made | None:
        file = self._root / name / MADE_FILE
        made = msgspec.json.decode(file.read_bytes(), type=_Made) if file.is_file() else None
        return made if made is not None and made.format == FORMAT else None

    def _forget(self, name: str) -> None:
        """Take the old parts out of sight; who reads them through a memory map goes on undisturbed."""
        (self._root / name / MADE_FILE).unlink(missing_ok=True)
        for part in self._store.parts(name):
            (part / IDS_FILE).unlink()
            (part / EMBEDDINGS_FILE).unlink()

    def _write_part(self, name: str, sample_ids: NDArray[np.int64], values: NDArray[np.float16]) -> None:
        part = self._store.new_part(name)
        np.save(part / EMBEDDINGS_FILE, values)
        with write_atomically(part / IDS_FILE) as file:
            np.save(file, sample_ids)  # last: it makes the part count

    def _write_space(self, name: str, space: EmbeddingSpace) -> None:
        (self._root / name).mkdir(parents=True, exist_ok=True)
        np.savez(self._root / name / SPACE_FILE, means=space.means, factors=space.factors, projection=space.projection)

    def _read_space(self, name: str) -> EmbeddingSpace:
        with np.load(self._root / name / SPACE_FILE) as file:
            return EmbeddingSpace(means=file["means"], factors=file["factors"], projection=file["projection"])


def leading_of(versions: Sequence[str]) -> int | None:
    """Which of several kinds of embeddings leads in a joined space, see `fit_space`: the shipped encoder's."""
    return list(versions).index(FROZEN) if FROZEN in versions else None


def _rows(kind: Embeddings, sample_ids: NDArray[np.int64]) -> NDArray[np.floating]:
    if len(kind.sample_ids) == len(sample_ids):
        return kind.values
    return kind.values[positions_of(sample_ids, kind.sample_ids)[0]]
