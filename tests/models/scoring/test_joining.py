"""Parts of one pool, joined: what one scoring of the whole pool leaves."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.card import TaskSpec
from models.errors import ScoringError
from models.score_pool import main
from models.scoring.joining import join_parts
from models.scoring.spec import EMBEDDINGS_FILE, FEATURES, IDS_FILE, PROBABILITIES_FILE, SKIPPED_FILE, write_spec
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx

TASKS = [TaskSpec(task=task, classes=["class-1", "class-2", "class-3"]) for task in ("classification", "segmentation")]


@pytest.fixture
def pool(tmp_path: Path) -> list[tuple[int, str]]:
    paths = [make_scene(tmp_path / f"{index}.tif", width=32, height=32, bands=3) for index in range(6)]
    paths[4].write_bytes(b"no image")
    paths[5].write_bytes(b"no image")
    return [(index + 1, str(path)) for index, path in enumerate(paths)]


def score(out: Path, samples: list[tuple[int, str]], model: Path | None) -> Path:
    out.mkdir()
    version, tasks = ("v1", TASKS) if model else (FEATURES, [])
    spec = write_spec(out, samples, version=version, model_dir=model, bands=[1, 2, 3], tasks=tasks)
    assert main([str(spec), "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("with_model", [True, False])
def test_joined_shards_are_the_part_of_the_whole_pool(tmp_path: Path, pool: list[tuple[int, str]], with_model: bool):
    model = make_tiny_onnx(tmp_path / "models") if with_model else None
    whole = score(tmp_path / "whole", pool, model)
    shards = [score(tmp_path / f"shard-{start}", pool[start : start + 2], model) for start in (0, 2, 4)]
    joined = tmp_path / "joined"
    joined.mkdir()
    join_parts(shards, joined)
    assert pq.read_table(joined / "scores.parquet").equals(pq.read_table(whole / "scores.parquet"))
    assert (joined / SKIPPED_FILE).read_text() == (whole / SKIPPED_FILE).read_text()
    arrays = {path.name for path in whole.glob("*.npy")}
    assert arrays >= ({PROBABILITIES_FILE} if with_model else set()) | {IDS_FILE, EMBEDDINGS_FILE}
    assert {path.name for path in joined.glob("*.npy")} == arrays
    for name in arrays:
        np.testing.assert_array_equal(np.load(joined / name), np.load(whole / name), err_msg=name)


def test_shards_of_unusable_images_only_are_joined(tmp_path: Path, pool: list[tuple[int, str]]):
    shards = [score(tmp_path / name, pool[4:], None) for name in ("one", "other")]
    (tmp_path / "joined").mkdir()
    join_parts(shards, tmp_path / "joined")
    assert len(np.load(tmp_path / "joined" / IDS_FILE)) == 0


@pytest.mark.parametrize("lost", [EMBEDDINGS_FILE, SKIPPED_FILE, "scores.parquet"])
def test_shard_that_lacks_a_file_is_refused(tmp_path: Path, pool: list[tuple[int, str]], lost: str):
    shard = score(tmp_path / "shard", pool[:2], None)
    shutil.copytree(shard, tmp_path / "other")
    (tmp_path / "other" / lost).unlink()
    (tmp_path / "joined").mkdir()
    with pytest.raises(ScoringError, match=r"cannot be joined: .*; score again"):
        join_parts([shard, tmp_path / "other"], tmp_path / "joined")
