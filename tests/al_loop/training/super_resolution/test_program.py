import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from al_loop.errors import NotInstalledError
from al_loop.runtime.processes import ERROR_FILE, ProcessCancelledError, ProcessFailedError
from al_loop.training.super_resolution import program as training_program
from al_loop.training.super_resolution.program import check_can_super_resolve, train_on_pairs
from models.errors import SuperResolutionError
from models.limits import RunLimits
from models.super_resolution.card import SuperResolutionConfig

CONFIG = SuperResolutionConfig(channels=4, blocks=1, steps=1, batch_size=1, patch_px=8)


def program(leaves: Path | None, seen: list[list[str]]) -> Callable[..., None]:
    """A program that leaves a model, or a sentence."""

    def run(module: str, arguments: list[str], directory: Path, **_: object) -> None:
        seen.append([module, *arguments])
        directory.mkdir(parents=True)
        if leaves is None:
            (directory / ERROR_FILE).write_text("no")
            raise ProcessFailedError("the disk is full")
        shutil.copytree(leaves, directory, dirs_exist_ok=True)

    return run


def train(pairs: Path, out: Path, executor: Callable[..., None], cancelled: threading.Event | None = None) -> str:
    return train_on_pairs(
        pairs, out, CONFIG, RunLimits(threads=1), cancelled=cancelled or threading.Event(), executor=executor
    ).version


def test_model_appears_once_it_is_whole(pair_folder: Path, super_model: Path, tmp_path: Path) -> None:
    seen: list[list[str]] = []
    version = train(pair_folder, tmp_path / "model", program(super_model, seen))
    assert version.startswith("sr-")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["card.json", "examples.png", "model", "model.onnx"]
    assert seen[0][:2] == ["models.train_super_resolution", str(pair_folder)]
    assert '"threads":1' in seen[0][seen[0].index("--limits") + 1]


def test_training_that_failed_leaves_its_checkpoint_for_the_same_command(
    pair_folder: Path, super_model: Path, tmp_path: Path
) -> None:
    seen: list[list[str]] = []
    with pytest.raises(ProcessFailedError, match="the disk is full"):
        train(pair_folder, tmp_path / "model", program(None, seen))
    (tmp_path / "model.part" / "checkpoint").mkdir()
    train(pair_folder, tmp_path / "model", program(super_model, seen))
    assert seen[0] == seen[1]
    assert not (tmp_path / "model.part").exists()


def test_cancelled_training_leaves_no_model(pair_folder: Path, tmp_path: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(ProcessCancelledError):
        train(pair_folder, tmp_path / "model", program(None, []), cancelled)
    assert not (tmp_path / "model").exists()


def test_folder_without_pairs_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SuperResolutionError, match="`al-loop super-resolution pairs` makes one"):
        train(tmp_path, tmp_path / "model", program(None, []))


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_program, "PACKAGES", ("torch", "no_such_package"))
    with pytest.raises(NotInstalledError, match="no_such_package"):
        check_can_super_resolve()
