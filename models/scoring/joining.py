"""Joins the parts that shards of one pool were scored into: one part, as a single scoring would have left it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.errors import ScoringError
from models.files import write_atomically
from models.scoring.spec import IDS_FILE, ROW_FILES, SCORES_FILE, SKIPPED_FILE, SkippedSample


def join_parts(parts: Sequence[Path], directory: Path) -> None:
    """Write the files of one part (`models.scoring.spec`) from those of several.

    Args:
        parts: Their directories, by the ids of their samples, which do not overlap.
        directory: Of the new part; it must exist.

    Raises:
        ScoringError: A part is damaged, or they do not fit together.
        OSError: The disk is full.
    """
    try:
        skipped = [
            entry
            for part in parts
            for entry in msgspec.json.decode((part / SKIPPED_FILE).read_bytes(), type=list[SkippedSample])
        ]
        scores = _by_task(pa.concat_tables([pq.read_table(part / SCORES_FILE) for part in parts]))
        ids = [np.load(part / IDS_FILE) for part in parts]
        filled = [part for part, some in zip(parts, ids, strict=True) if len(some)] or [parts[0]]
        with write_atomically(directory / SKIPPED_FILE) as file:
            file.write(msgspec.json.format(msgspec.json.encode(skipped), indent=1))
        with write_atomically(directory / SCORES_FILE) as file:
            pq.write_table(scores, file)
        for name in ROW_FILES:
            _join_rows([part / name for part in filled], directory / name)
        with write_atomically(directory / IDS_FILE) as file:
            np.save(file, np.concatenate(ids))
    except (ValueError, EOFError, FileNotFoundError, pa.ArrowException, msgspec.MsgspecError) as error:
        raise ScoringError(f"the shards in {parts[0].parent} cannot be joined: {error}; score again") from error


def _by_task(scores: pa.Table) -> pa.Table:
    """Rows of one task after those of the other, in the order in which tasks come first, as one scoring leaves them."""
    tasks = pc.unique(scores["task"])
    return pa.concat_tables([scores.filter(pc.equal(scores["task"], task)) for task in tasks]) if len(tasks) else scores


def _join_rows(files: Sequence[Path], target: Path) -> None:
    """Rows of arrays after each other; nothing where no part has the file, and an error where only some have."""
    if not any(file.exists() for file in files):
        return
    arrays = [np.load(file, mmap_mode="r") for file in files]
    arrays = [array for array in arrays if len(array)] or arrays[:1]
    with write_atomically(target) as file:
        np.save(file, np.concatenate(arrays))
