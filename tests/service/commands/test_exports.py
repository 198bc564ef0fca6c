"""`al-loop export` to folders, and back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from al_loop.campaigns.importing import plan_import
from al_loop.campaigns.layout import DataLayout
from service.settings import Settings
from tests.data.stac_validation import validate_folder
from tests.data.tiny_model import make_tiny_onnx

Run = Callable[..., int]


def test_data_set_is_written_as_a_folder_and_can_be_imported(
    on_land: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "land"
    said = ["--author", "Ann", "--author", "Bob", "--license", "CC-BY-4.0", "--source", "https://example.org/land"]
    assert on_land("export", "land", "--format", "eotdl", "--copy", *said, "--out", str(out)) == 0
    assert "wrote" in capfd.readouterr().err
    assert validate_folder(out) == 3 + 2
    front = (out / "README.md").read_text()
    assert '- "Bob"' in front
    assert '"CC-BY-4.0"' in front
    plan = plan_import(out)
    assert [(label.path, label.classes) for label in plan.labels()] == [("imagery/scene_000.tif", ["dark"])]
    assert on_land("export", "land", "--format", "eotdl", "--out", str(out)) == 2  # it is there
    assert on_land("export", "land", "--format", "stac", "--out", str(tmp_path / "land.zip")) == 0
    assert (tmp_path / "land.zip").read_bytes()[:2] == b"PK"


def test_folder_that_is_missing_is_named(on_land: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert on_land("export", "land", "--format", "geojson", "--out", str(tmp_path / "none" / "a.geojson")) == 2
    assert f"there is no folder {tmp_path / 'none'}; make it first" in capfd.readouterr().err


def test_options_of_data_sets_go_with_their_formats(on_land: Run, tmp_path: Path) -> None:
    assert on_land("export", "land", "--copy", "--out", str(tmp_path / "a.geojson")) == 2
    out = tmp_path / "land"
    assert on_land("export", "land", "--format", "eotdl", "--source", "my disk", "--out", str(out)) == 2
    assert not out.exists()


def test_model_is_written_as_a_folder_and_as_a_graph(on_land: Run, settings: Settings, tmp_path: Path) -> None:
    make_tiny_onnx(DataLayout(settings.data).models("land"), tasks=["segmentation"])
    said = ["--out", str(tmp_path / "model"), "--license", "MIT", "--all"]
    assert on_land("model", "export", "land", "v1", "--format", "stac", *said) == 0
    assert validate_folder(tmp_path / "model") == 3
    graph = ["model", "export", "land", "v1", "--format", "deepness", "--out", str(tmp_path / "a.onnx")]
    assert on_land(*graph, "--license", "MIT") == 2
    assert on_land(*graph, "--task", "classification") == 2
    assert not (tmp_path / "a.onnx").exists()
    assert on_land(*graph) == 0
    assert (tmp_path / "a.onnx").stat().st_size > 100
