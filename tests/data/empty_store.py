"""A label store without rows, made once a process: migrations take longer than most tests."""

import functools
import tempfile
from pathlib import Path

from al_loop.store import LabelStore


def lay_empty_store(path: Path) -> Path:
    """Write a label store as all migrations leave it; gives its path back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_empty_store())
    return path


@functools.cache
def _empty_store() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "al-loop.duckdb"
        LabelStore.open(path).close()
        return path.read_bytes()
