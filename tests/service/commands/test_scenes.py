"""`al-loop predict` on this machine: with the models of a data directory, without a service."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

from al_loop.campaigns.layout import DataLayout
from models.inference.predictor import Predictor
from models.rasters.reading import read_raster
from models.registry import ModelRegistry
from service.cli import main
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx
from tests.models.training.fixtures import SEGMENTATION, write_snapshot


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose campaign `demo` has two versions; v1 serves."""
    models = DataLayout(tmp_path / "data").models("demo")
    make_tiny_onnx(models, version="v1", tasks=["segmentation"])
    make_tiny_onnx(models, version="v2", tasks=["classification", "segmentation"], bias=50.0)
    ModelRegistry(models).set_current("v1")
    return tmp_path / "data"


def test_scene_is_predicted_by_what_serves(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene, out = make_scene(tmp_path / "a.tif", width=300, height=200), tmp_path / "mask.tif"
    assert main(["predict", "demo", str(scene), "--out", str(out), "--data", str(data), "--quiet"]) == 0
    assert f"wrote {out}: a scene of 300 x 200 px, by v1" in capsys.readouterr().err.replace("\n", "")
    model = Predictor(ModelRegistry(DataLayout(data).models("demo")).path("v1"))
    with rasterio.open(out) as dataset:
        np.testing.assert_array_equal(dataset.read(1), model.answer("segmentation", read_raster(scene, [1, 2, 3])))


def test_format_follows_the_ending_and_version_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, out = make_scene(tmp_path / "a.tif", width=300, height=200), tmp_path / "a.geojson"
    command = ["predict", "demo", str(scene), "--out", str(out), "--data", str(data), "--version", "v2", "--json", "-q"]
    assert main([*command, "--task", "segmentation"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["version"], result["format"], result["features"]) == ("v2", "geojson", 1)
    assert json.loads(out.read_bytes())["features"][0]["properties"]["class"] == "class-1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--out", "mask.png"], "ends neither in .tif nor in .geojson"),
        (["--out", "there.tif"], "exists already; say --force to overwrite it"),
        (["--data", "nowhere"], "name the data directory of its service"),
        (["--version", "v2"], "v2 answers classification, segmentation; name one of them"),
        (["--version", "v7"], "v7"),
        (["--task", "classification"], "classification"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_scene(tmp_path / "a.tif")
    (tmp_path / "there.tif").write_text("keep")
    assert main(["predict", "demo", "a.tif", "--out", "mask.tif", "--data", str(data), "-q", *change]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "there.tif").read_text() == "keep"


def test_output_among_the_campaigns_images_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imagery = tmp_path / "imagery"
    scene = make_scene(imagery / "deep" / "a.tif")
    rows = [{"path": scene, "split": "train"}, {"path": make_scene(imagery / "b.tif"), "split": "train"}]
    write_snapshot(ModelRegistry(DataLayout(data).models("demo")).path("v1"), rows, [SEGMENTATION])
    command = ["predict", "demo", str(scene), "--data", str(data), "-q", "--out"]
    assert main([*command, str(imagery / "mask.tif")]) == 2
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "lies among the campaign's images" in told
    assert not (imagery / "mask.tif").exists()
    assert main([*command, str(tmp_path / "mask.tif")]) == 0
