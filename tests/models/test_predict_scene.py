"""The program: a file, a result, lines of progress; a known failure is one sentence."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from models.inference.scenes.spec import SceneResult, SceneSpec
from models.predict_scene import CACHE_MB, limit_block_cache, main
from models.progress import PROGRESS_FILE
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the limit of the block cache to the test."""
    monkeypatch.setenv("GDAL_CACHEMAX", "300")


def run(folder: Path, scene: Path) -> int:
    version = make_tiny_onnx(folder / "models")
    spec = SceneSpec(scene=str(scene), name=scene.name, model_dir=str(version), task="segmentation", threads=1)
    (folder / "spec.json").write_bytes(msgspec.json.encode(spec))
    (folder / "out").mkdir()
    return main([str(folder / "spec.json"), "--out", str(folder / "out"), "--file", str(folder / "mask.tif")])


def test_program_writes_the_file_the_result_and_its_progress(tmp_path: Path) -> None:
    assert run(tmp_path, make_scene(tmp_path / "a.tif", width=300, height=200)) == 0
    result = msgspec.json.decode((tmp_path / "out" / "result.json").read_bytes(), type=SceneResult)
    assert (result.file, result.file_bytes) == ("mask.tif", (tmp_path / "mask.tif").stat().st_size)
    lines = [json.loads(line) for line in (tmp_path / "out" / PROGRESS_FILE).read_bytes().splitlines()]
    assert list(dict.fromkeys(line["phase"] for line in lines)) == ["predicting", "writing"]
    done = [line.get("done", 0) for line in lines if line["phase"] == "predicting"]
    assert done == sorted(done)
    assert done[-1] == result.tiles


def test_known_failure_is_one_sentence(tmp_path: Path) -> None:
    assert run(tmp_path, tmp_path / "gone.tif") == 2
    assert (tmp_path / "out" / "error.txt").read_text().startswith("gone.tif: ")


def test_block_cache_is_limited_unless_it_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_block_cache()
    assert os.environ["GDAL_CACHEMAX"] == "300"
    monkeypatch.delenv("GDAL_CACHEMAX")
    limit_block_cache()
    assert os.environ["GDAL_CACHEMAX"] == str(CACHE_MB)
