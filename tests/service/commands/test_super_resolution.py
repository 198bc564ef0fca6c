"""`al-loop super-resolution` and `al-loop super-resolve`, from folders of images to a file."""

import json
from pathlib import Path

import pytest
import rasterio

from models.super_resolution.card import read_super_card
from service.cli import main
from tests.models.super_resolution.fixtures import land, write_raster
from tests.models.super_resolution.test_resolver import copied


def fine_folder(home: Path, count: int = 4) -> Path:
    for number in range(count):
        write_raster(home / f"t{number}.tif", land(number), corner=None)
    return home


def test_plan_is_printed_before_anything_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fine = fine_folder(tmp_path / "fine")
    (fine / "broken.tif").write_bytes(b"no")
    command = ["super-resolution", "pairs", str(fine), "--out", str(tmp_path / "pairs"), "--dry-run"]
    assert main(command) == 3  # carried out in part: one file cannot be read
    said = capsys.readouterr()
    assert "t0\tt0\tmade from the fine one" in said.out
    assert "4 pairs of 4 places, made from the fine images" in said.err
    assert "broken.tif" in said.err
    assert main([*command, "--json"]) == 3
    assert len(json.loads(capsys.readouterr().out)["pairs"]) == 4
    assert not (tmp_path / "pairs").exists()


def test_pairs_are_made_and_kept_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["super-resolution", "pairs", str(fine_folder(tmp_path / "fine")), "--out", str(tmp_path / "pairs"), "-q"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["factor"] == 2
    assert main(command) == 2
    assert "exists already; say --force" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
    assert "wrote 4 pairs, 2x, to" in capsys.readouterr().err


@pytest.mark.parametrize(("more", "said"), [
    (["--factor", "3"], "it is 2 or 4"), (["--bands", "4,x"], "not a list of band numbers"),
    (["--bands", "1,1"], "not a list of band numbers"), (["--mtf", "0.95", "--factor", "2"], "cannot be"),
    (["--low", "nowhere"], "is no folder"), (["--files", "*.png"], "has no readable image"),
    (["--place", "x(y"], "is no regular expression"),
])  # fmt: skip
def test_what_cannot_be_paired_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    fine = fine_folder(tmp_path / "fine")
    assert main(["super-resolution", "pairs", str(fine), "--out", str(tmp_path / "pairs"), *more]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_training_in_a_program_of_its_own_ends_with_the_measures(
    pair_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model"
    command = ["super-resolution", "train", str(pair_folder), "--out", str(out), "--steps", "1", "--channels", "4"]
    assert main([*command, "--blocks", "1", "--batch-size", "1", "--patch", "8", "-q"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("measure\tmodel\tbicubic")
    assert "better, and may be served" in said.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["card.json", "examples.png", "model", "model.onnx"]


def test_training_that_cannot_begin_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["super-resolution", "train", str(tmp_path), "--out", str(tmp_path / "model"), "-q"]) == 2
    assert "has no readable pairs.json" in capsys.readouterr().err


def test_measures_are_shown_beside_bicubic(super_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["super-resolution", "show", str(super_model)]) == 0
    rows = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert rows[:3] == ["measure", "psnr", "ssim"]
    assert main(["super-resolution", "show", str(super_model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == read_super_card(super_model).version


def test_scene_is_super_resolved_and_marked(
    super_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, out = write_raster(tmp_path / "scene.tif", land(1, 30)), tmp_path / "twice.tif"
    command = ["super-resolve", str(scene), "--model", str(super_model), "--out", str(out), "-q"]
    assert main(command) == 0
    assert f"wrote {out}: 60 x 60 px, super-resolved 2x by sr-" in capsys.readouterr().err
    with rasterio.open(out) as file:
        assert file.tags()["SYNTHETIC"] == "YES"
    assert main(command) == 2
    assert main([*command, "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["synthetic"]


def test_model_that_is_not_better_than_bicubic_is_used_only_on_request(
    super_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = write_raster(tmp_path / "scene.tif", land(1, 30))
    worse = copied(super_model, tmp_path / "worse", better=False)
    command = ["super-resolve", str(scene), "--model", str(worse), "--out", str(tmp_path / "out.tif"), "-q"]
    assert main(command) == 2
    assert "better was not shown" in capsys.readouterr().err
    assert main([*command, "--unproven"]) == 0
