"""What decides which candidates are tried, and which one wins."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.card import ModelConfig, TaskSpec, TrainConfig
from models.encoders import wheel
from models.manifest import read_manifest
from models.training.ladder import choose, plan_candidates
from tests.models.training.fixtures import write_snapshot

SINGLE = TaskSpec(task="classification", classes=["smooth", "striped"])


def snapshot(directory: Path) -> Path:
    write_snapshot(
        directory,
        [{"path": directory / "a.tif", "split": "train", "classification": [0]}],
        [SINGLE],
        statistics_paths=[],
    )
    return directory


def test_missing_weights_leave_the_deep_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = snapshot(tmp_path)
    manifest = read_manifest(folder)
    assert plan_candidates(manifest, [SINGLE], 8).kinds == ["quick"]
    monkeypatch.setattr(wheel, "DISTRIBUTION", "no-such-distribution")
    plan = plan_candidates(manifest, [SINGLE], 8)
    assert plan.kinds == ["deep"]
    assert "not installed" in plan.reason


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"model": ModelConfig(encoder="test_resnet")}, ["deep"]),
        ({"train": TrainConfig(max_steps=3)}, ["deep"]),
        ({"train": TrainConfig(max_steps=3, candidates="quick")}, ["quick"]),
        ({"train": TrainConfig(candidates="deep")}, ["deep"]),
        ({"model": ModelConfig(pretrained_file="weights")}, ["quick", "deep"]),
        ({"model": ModelConfig(encoder="resnet10_narrow")}, ["quick"]),  # the default of campaigns from before
        ({}, ["quick", "deep"]),
    ],
)
def test_settings_decide_what_is_tried(tmp_path: Path, changes: dict[str, Any], kinds: list[str]) -> None:
    manifest = msgspec.structs.replace(read_manifest(snapshot(tmp_path)), **changes)
    assert plan_candidates(manifest, [SINGLE], 200).kinds == kinds


def test_pixels_are_quick_too(tmp_path: Path) -> None:
    both = [SINGLE, TaskSpec(task="segmentation", classes=["road"])]
    assert plan_candidates(read_manifest(snapshot(tmp_path)), both, 50).kinds == ["quick"]


def test_best_candidate_on_held_out_labels_wins() -> None:
    assert choose({"quick": {"classification": 0.8}, "deep": {"classification": 0.9}})[0] == "deep"
    assert choose({"quick": {"classification": 0.9}, "deep": {"classification": 0.9}})[0] == "quick"
    assert choose({"quick": {"classification": 0.1}, "deep": {"classification": None}})[0] == "quick"
