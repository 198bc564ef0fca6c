"""Trainings that are cut off go on where they were and end as if nothing had happened."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import nn

from models.card import Evaluation, TrainConfig
from models.train import main
from models.training.networks import deep
from models.training.running import checkpoints
from models.training.running.checkpoints import CHECKPOINT_FILE, Checkpoints
from tests.models.training.fixtures import CLASSIFICATION, TINY_MODEL, TrainedRun, split_of, write_chips, write_snapshot


class CutOffError(BaseException):
    """As a kill, which nothing catches."""


def cut_after(monkeypatch: pytest.MonkeyPatch, saves: int) -> None:
    """Save after each step, and stop dead after some."""
    save, made = Checkpoints.save, []

    def counted(self: Checkpoints, *parts: object) -> None:
        save(self, *parts)  # type: ignore[arg-type]
        made.append(1)
        if len(made) == saves:
            raise CutOffError

    monkeypatch.setattr(Checkpoints, "save", counted)
    monkeypatch.setattr(Checkpoints, "due", lambda *_, **__: True)


def run(snapshot: Path, out: Path, checkpoint: Path) -> int:
    return main([str(snapshot), "--out", str(out), "--checkpoint", str(checkpoint)])


def losses(out: Path) -> list[object]:
    return [line["loss"] for line in json.loads((out / "training.json").read_text())["history"]]


def test_training_that_was_cut_off_twice_ends_with_the_same_bits(
    trained_run: TrainedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, saves in enumerate((31, 20)):  # in the middle of an epoch, and between two reports
        with pytest.MonkeyPatch.context() as patch:
            cut_after(patch, saves)
            with pytest.raises(CutOffError):
                run(trained_run.snapshot, tmp_path / f"cut-{number}", tmp_path / "checkpoint")
    seen: list[int] = []
    resume = Checkpoints.resume

    def resumed(self: Checkpoints, *parts: object) -> object:
        found = resume(self, *parts)  # type: ignore[arg-type]
        seen.append(0 if found is None else found.step)
        return found

    monkeypatch.setattr(Checkpoints, "resume", resumed)
    assert run(trained_run.snapshot, tmp_path / "out", tmp_path / "checkpoint") == 0
    assert seen == [51]
    weights = "weights.safetensors"
    assert (tmp_path / "out" / weights).read_bytes() == (trained_run.out / weights).read_bytes()
    assert evaluation(tmp_path / "out") == evaluation(trained_run.out)
    assert losses(tmp_path / "out") == losses(trained_run.out)


def evaluation(out: Path) -> Evaluation:
    """What was measured, but for the time that a run of the graph took."""
    found = msgspec.json.decode((out / "evaluation.json").read_bytes(), type=Evaluation)
    return msgspec.structs.replace(found, latency=None)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("small")
    labels = [index % 3 for index in range(24)]
    rows = [
        {"path": path, "split": split_of(index), "classification": [labels[index]]}
        for index, path in enumerate(write_chips(root, labels))
    ]
    train = TrainConfig(epochs=2, batch_size=4, device="cpu")
    write_snapshot(root / "snapshot", rows, [CLASSIFICATION], model=TINY_MODEL, train=train)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "due", lambda *_, last: last)
        assert run(root / "snapshot", root / "out", root / "checkpoint") == 0
    return root


def test_finished_training_goes_on_behind_its_last_step(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small / "checkpoint", tmp_path / "checkpoint")
    assert run(small / "snapshot", tmp_path / "out", tmp_path / "checkpoint") == 0
    assert (tmp_path / "out/weights.safetensors").read_bytes() == (small / "out/weights.safetensors").read_bytes()
    assert "loss" not in (tmp_path / "out/progress.jsonl").read_text()  # nothing was trained


@pytest.mark.parametrize("spoil", ["cut", "of another run", "no file"])
def test_checkpoint_that_cannot_be_used_is_left_alone(
    small: Path, tmp_path: Path, spoil: str, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(small / "checkpoint", tmp_path / "checkpoint")
    file = tmp_path / "checkpoint" / CHECKPOINT_FILE
    content = file.read_bytes()
    spoilt = {"cut": content[:1000], "of another run": content.replace(b"torch 2", b"torch 1"), "no file": b"x"}
    file.write_bytes(spoilt[spoil])
    assert run(small / "snapshot", tmp_path / "out", tmp_path / "checkpoint") == 0
    assert "training begins at the first step" in caplog.text
    assert (tmp_path / "out/weights.safetensors").read_bytes() == (small / "out/weights.safetensors").read_bytes()


def test_training_goes_on_without_room_for_a_checkpoint(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_atomically", full)
    monkeypatch.setattr(Checkpoints, "due", lambda *_, **__: True)
    assert run(small / "snapshot", tmp_path / "out", tmp_path / "checkpoint") == 0
    assert "no checkpoint at step" in caplog.text
    assert not (tmp_path / "checkpoint" / CHECKPOINT_FILE).exists()


def test_checkpoints_are_made_at_ends_of_epochs_but_not_too_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    made = Checkpoints(tmp_path, "key", None, None, epoch_steps=10)  # type: ignore[arg-type]  # neither is asked
    assert not made.due(10)
    now[0] += checkpoints.LEAST_PAUSE_S
    assert [made.due(step) for step in (9, 10, 11)] == [False, True, False]
    assert made.due(11, last=True)
    now[0] += checkpoints.LONGEST_PAUSE_S
    assert made.due(11)


def test_checkpoint_of_another_network_is_left_alone(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As another version of this program may build it."""
    shutil.copytree(small / "checkpoint", tmp_path / "checkpoint")
    build = deep.build

    def wider(*parts: Any) -> nn.Module:
        network = build(*parts)
        network.register_buffer("more", torch.zeros(3))
        return network

    monkeypatch.setattr(deep, "build", wider)
    assert run(small / "snapshot", tmp_path / "out", tmp_path / "checkpoint") == 0
    assert "of another network; training begins at the first step" in caplog.text
