"""Checks that the files of a pool scoring can be used, before anything reads them."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.errors import ScoringError
from models.scoring.spec import EMBEDDINGS_FILE, IDS_FILE, SCORES_FILE, SKIPPED_FILE, SkippedSample
from models.tasks.uncertainty import SCORE_NAMES


def check_part(part: Path, earlier: Sequence[Path], sample_ids: NDArray[np.int64]) -> list[SkippedSample]:
    """Check the files of a part (`models.scoring.spec`) against each other and against the parts before it.

    Args:
        part: Its directory.
        earlier: Finished parts of the same version.
        sample_ids: Shape (N,); the samples that were to be scored.

    Returns:
        Those that could not be.

    Raises:
        ScoringError: A file is missing, damaged, of other samples, or does not fit the others.
    """
    try:
        skipped = msgspec.json.decode((part / SKIPPED_FILE).read_bytes(), type=list[SkippedSample])
        scored = pq.read_table(part / SCORES_FILE, columns=["sample_id", "task", *SCORE_NAMES])
        ids, values = np.load(part / IDS_FILE), np.load(part / EMBEDDINGS_FILE, mmap_mode="r")
        _check_rows(ids, values, IDS_FILE)
    except (OSError, EOFError, ValueError, IndexError, pa.ArrowException, msgspec.MsgspecError) as error:
        raise ScoringError(f"the scores that were left in {part} cannot be used: {error}") from error
    if (np.diff(ids) <= 0).any() or not np.isin(ids, sample_ids).all():
        raise ScoringError(f"{IDS_FILE} in {part} is not of the samples that were to be scored")
    if not np.isin(scored["sample_id"].to_numpy(), ids).all():
        raise ScoringError(f"the files in {part} are of different samples")
    sizes = [np.load(other / EMBEDDINGS_FILE, mmap_mode="r").shape for other in earlier]
    known = next((size for count, size in reversed(sizes) if count), values.shape[1])
    if len(ids) and values.shape[1] != known:
        raise ScoringError(f"embeddings in {part} have {values.shape[1]} values, those before them {known}")
    return skipped


def _check_rows(ids: NDArray[np.int64], values: NDArray[np.floating], name: str) -> None:
    if ids.dtype != np.int64 or values.ndim != 2 or len(ids) != len(values):
        raise ValueError(f"{name} is {ids.dtype} {ids.shape}, its values are {values.dtype} {values.shape}")
