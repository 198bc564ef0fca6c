"""What a kill leaves is removed at the start; what may belong to somebody else is not."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.leftovers import OLD_S, remove_leftovers


def test_unfinished_files_of_the_data_directory_are_removed(tmp_path: Path) -> None:
    layout = DataLayout(tmp_path / "data")
    models, scenes = layout.models("demo"), layout.pictures("demo") / "scenes"
    unfinished = [
        layout.temporary / "tmpabc" / "uncertainty.tif", layout.root / ".probe-1", models / ".staging-a" / "model.onnx",
        models / ".staging-b", scenes / ".staging-c" / "1.tif", layout.round("demo", 1) / ".staging-d",
    ]  # fmt: skip
    kept = [models / "v1" / "model.onnx", scenes / "1-x" / "1.tif", layout.root / "al-loop.duckdb"]
    for file in [*unfinished, *kept]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    remove_leftovers(layout)
    left = {file for file in layout.root.rglob("*") if file.is_file()}
    assert left == set(kept)
    assert not list(layout.root.rglob(".staging-*"))
    assert list(layout.temporary.iterdir()) == []


def test_old_folders_of_ours_in_the_temporary_directory_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    long_ago = time.time() - OLD_S - 60
    made = {"al-loop-old": "uncertainty.tif", "al-loop-new": "uncertainty.tif", "al-loop-other": "a.txt"}
    for name, file in made.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(b"x")
    for name in ("al-loop-old", "al-loop-other"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    (tmp_path / "al-loop-link").symlink_to(tmp_path / "al-loop-other")
    remove_leftovers(DataLayout(tmp_path / "data"))
    assert {path.name for path in tmp_path.iterdir()} == {"al-loop-new", "al-loop-other", "al-loop-link"}
