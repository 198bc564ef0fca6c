"""What decides which candidates are tried, and when."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.card import ModelConfig, TaskSpec, TrainConfig
from models.encoders import wheel
from models.manifest import read_manifest
from models.training.plan import deep_is_worth, plan_candidates, tunes_quick
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
        ({"model": ModelConfig(pretrained_file="weights")}, ["quick"]),
        ({"model": ModelConfig(encoder="resnet10_narrow")}, ["quick"]),  # the default of campaigns from before
        ({}, ["quick"]),
        ({"background": True}, ["quick", "deep"]),
    ],
)
def test_settings_decide_what_is_tried(tmp_path: Path, changes: dict[str, Any], kinds: list[str]) -> None:
    manifest = msgspec.structs.replace(read_manifest(snapshot(tmp_path)), **changes)
    assert plan_candidates(manifest, [SINGLE], 200).kinds == kinds


def test_pixels_are_quick_too(tmp_path: Path) -> None:
    both = [SINGLE, TaskSpec(task="segmentation", classes=["road"])]
    assert plan_candidates(read_manifest(snapshot(tmp_path)), both, 50).kinds == ["quick"]


@pytest.mark.parametrize(
    ("changes", "labels", "tried", "worth"),
    [
        ({}, 200, None, True),
        ({}, 199, None, False),
        ({}, 240, 200, False),
        ({}, 250, 200, True),
        ({"model": ModelConfig()}, 200, None, True),
        ({"model": ModelConfig(encoder="resnet10_narrow")}, 1_000, None, False),
        ({"recipe": TrainConfig(candidates="quick")}, 1_000, None, False),
        ({"recipe": TrainConfig(epochs=3)}, 1_000, None, False),
    ],
)
def test_deep_network_is_worth_it_once_labels_have_grown(
    changes: dict[str, Any], labels: int, tried: int | None, worth: bool
) -> None:
    asked = {"model": ModelConfig(pretrained_file="weights"), "recipe": TrainConfig()} | changes
    assert deep_is_worth(**asked, tasks=[SINGLE], labels=labels, tried=tried) is worth


@pytest.mark.parametrize(
    ("model", "tunes"),
    [
        (ModelConfig(), True),
        (ModelConfig(multispectral="on"), True),
        (ModelConfig(embedding_size=64), False),
        (ModelConfig(pretrained_file="weights"), False),
        (ModelConfig(encoder="resnet10_narrow"), False),
    ],
)
def test_deep_network_is_the_quick_one_trained_further_unless_something_else_is_asked_for(
    model: ModelConfig, tunes: bool
) -> None:
    assert tunes_quick(model) is tunes


def test_masks_are_worth_a_deep_network_before_as_many_classes_are() -> None:
    masks = TaskSpec(task="segmentation", classes=["road", "water", "field"])
    asked = {"model": ModelConfig(), "recipe": TrainConfig(), "tried": None}
    assert [deep_is_worth(**asked, tasks=[masks], labels=labels) for labels in (49, 50)] == [False, True]
    assert [deep_is_worth(**asked, tasks=[masks, SINGLE], labels=labels) for labels in (199, 200)] == [False, True]
