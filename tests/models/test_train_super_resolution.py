import json
import shutil
from pathlib import Path

import pytest

from models.super_resolution.card import read_super_card
from models.train_super_resolution import main


def test_training_leaves_a_model_with_its_measures_beside_bicubic(super_model: Path) -> None:
    card = read_super_card(super_model)
    assert (card.factor, card.bands, card.pairs, card.steps, card.synthetic) == (2, [1, 2, 3], 4, 3, True)
    assert (card.report.images, card.report.places) == (2, 2)
    assert {row.name for row in card.report.rows} == {
        "psnr", "ssim", "reflectance", "spectral", "spatial", "synthesis", "improvement", "omission", "hallucination",
    }  # fmt: skip
    assert card.report.better
    assert (super_model / "examples.png").read_bytes()[:4] == b"\x89PNG"
    phases = [json.loads(line)["phase"] for line in (super_model / "progress.jsonl").read_text().splitlines()]
    assert list(dict.fromkeys(phases)) == ["training", "evaluating", "exporting"]


def failed(pairs: Path, out: Path) -> str:
    assert main([str(pairs), "--out", str(out), "--config", '{"channels": 4, "blocks": 1, "steps": 1}']) == 2
    return (out / "error.txt").read_text()


def test_folder_that_holds_no_pairs_is_told_in_one_sentence(tmp_path: Path) -> None:
    assert "has no readable pairs.json" in failed(tmp_path, tmp_path / "out")


def test_pair_whose_file_is_gone_is_named(pair_folder: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs"
    shutil.copytree(pair_folder, pairs)
    for side in ("low", "high"):
        for path in (pairs / side).iterdir():
            if path.name != "t0.tif":
                path.unlink()
    assert "cannot be read" in failed(pairs, tmp_path / "out")


@pytest.mark.parametrize("split", ["train", "test"])
def test_pairs_that_are_all_of_one_split_are_refused(pair_folder: Path, tmp_path: Path, split: str) -> None:
    said = json.loads((pair_folder / "pairs.json").read_text())
    said["pairs"] = [entry | {"split": split} for entry in said["pairs"]]
    (tmp_path / "pairs.json").write_text(json.dumps(said))
    assert "needs pairs to train on and pairs that are held out" in failed(tmp_path, tmp_path / "out")
