"""Detection in real runs: quick, deep, and beside another task."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import rasterio
import shapely
import torch

from models.card import ModelCard, ModelConfig, TaskSpec, TrainConfig
from models.inference.predictor import Predictor
from models.manifest import read_manifest
from models.registry import ModelRegistry
from models.tasks import task_of
from models.train import main
from models.training.incumbent import load_incumbent
from models.training.objects import fit
from models.training.objects.stages import KeptChip, KeptStages
from tests.models.training.fixtures import TINY_MODEL, split_of, write_snapshot

PLACE = {"driver": "GTiff", "crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 500_000, 0, -10, 0)}
DETECTION = TaskSpec(task="detection", classes=["bright", "dark"])
CLASSES = TaskSpec(task="classification", classes=["empty", "full"])
SIDE = 64


def scene(seed: int, objects: int, side: int = SIDE) -> tuple[np.ndarray, list[tuple[int, bytes]]]:
    """Squares of 8 px that are brighter or darker than what is around them."""
    rng = np.random.default_rng(seed)
    image = rng.normal(120, 8, (3, side, side))
    places = rng.permutation((side // 16) ** 2)[:objects]
    polygons = []
    for place in places.tolist():
        row, column = (16 * part + int(rng.integers(2, 7)) for part in divmod(place, side // 16))
        code = 1 + int(rng.integers(2))
        image[:, row : row + 8, column : column + 8] += 90 if code == 1 else -90
        polygons.append((code, shapely.to_wkb(shapely.box(column, row, column + 8, row + 8))))
    return image.clip(1, 255), polygons


def snapshot(directory: Path, tasks: list[TaskSpec], count: int = 24, **changes: Any) -> Path:
    """Every fourth image is empty; with two tasks some samples are labelled for one of them only."""
    rows: list[dict[str, Any]] = []
    for index in range(count):
        image, polygons = scene(index, 0 if index % 4 == 3 else 3)
        path = directory / f"chip-{index}.tif"
        with rasterio.open(path, "w", width=SIDE, height=SIDE, count=3, dtype="uint8", nodata=0, **PLACE) as target:
            target.write(image.astype(np.uint8))
        row: dict[str, Any] = {"path": path, "split": split_of(index)}
        if len(tasks) == 1 or index % 5:
            row["detection"] = polygons
        if len(tasks) > 1 and index % 7 != 2:
            row["classification"] = [int(bool(polygons))]
        rows.append(row)
    write_snapshot(directory / "snapshot", rows, tasks, **changes)
    return directory / "snapshot"


def trained(directory: Path, out: Path) -> tuple[ModelCard, Predictor]:
    assert main([str(directory), "--out", str(out)]) == 0
    card = msgspec.json.decode((out / "card.json").read_bytes(), type=ModelCard)
    registry = ModelRegistry(out.parent / f"{out.name}-models")
    registry.publish("v1", out, card)
    return card, Predictor(registry.path("v1"), device="cpu")


def found(boxes: np.ndarray, polygons: list[tuple[int, bytes]], least: float = 0.25) -> float:
    """Share of the objects under a box of their class whose middle lies in them."""
    likely = boxes[boxes[:, 4] >= least]
    x, y = (likely[:, 0] + likely[:, 2]) / 2, (likely[:, 1] + likely[:, 3]) / 2
    hits = []
    for code, wkb in polygons:
        left, top, right, bottom = shapely.from_wkb(wkb).bounds
        inside = (x > left) & (x < right) & (y > top) & (y < bottom) & (likely[:, 5] == code - 1)
        hits.append(bool(inside.any()))
    return float(np.mean(hits))


def test_quick_round_finds_objects_in_chips_and_scenes_and_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, steps in (("STEPS", 120), ("MORE_STEPS", 40)):  # fewer suffice for squares
        monkeypatch.setattr(fit, name, steps)
    folder = snapshot(tmp_path, [DETECTION])
    card, predictor = trained(folder, tmp_path / "out")
    (measured,) = card.evaluation.candidate
    assert (measured.task, measured.metric, measured.baseline) == ("detection", "map50", 0.0)
    assert measured.value > 0.6
    assert 0 <= measured.low <= measured.value <= measured.high <= 1
    assert [other.name for other in measured.others[:2]] == ["map50_95", "map30"]
    assert {(other.name, other.of_class) for other in measured.others[2:]} == {
        ("ap50", name) for name in DETECTION.classes
    }
    assert measured.others[0].value <= measured.value <= measured.others[1].value
    assert card.parity.differences.keys() == {"embedding", "detection"}
    assert max(card.parity.differences.values()) <= card.parity.tolerance
    (quick,) = card.candidates
    assert quick.kind == "quick"
    assert quick.held_out["detection"] is not None

    image, polygons = scene(1000, 6)
    boxes = predictor.answer("detection", image.astype(np.float32))
    assert found(boxes, polygons) >= 0.8
    assert boxes[:, 0].min() >= 0
    assert boxes[:, 2].max() <= SIDE
    large, objects = scene(1001, 300, side=640)  # two tiles along each side
    whole = predictor.answer("detection", large.astype(np.float32))
    assert found(whole, objects) >= 0.8
    likely = whole[whole[:, 4] >= 0.25]
    middle = (likely[:, :2] + likely[:, 2:4]) / 2
    apart = np.hypot(*(middle[:, None] - middle[None]).transpose(2, 0, 1)) + 100 * np.eye(len(middle))
    assert (apart < 3).sum() <= 2  # none is there twice

    manifest = msgspec.structs.replace(
        read_manifest(folder), incumbent_onnx=str(tmp_path / "out-models/v1/model.onnx"), incumbent_version="v1",
        tasks=[TaskSpec(task="detection", classes=["new", "bright", "dark"])],
    )  # fmt: skip
    contender, message = load_incumbent(manifest)
    assert contender is not None, message
    answer = contender.infer(image[None].astype(np.float32))["detection"][0]
    assert found(answer, [(code + 1, wkb) for code, wkb in polygons]) >= 0.8


@pytest.mark.parametrize(
    ("model", "recipe"),
    [
        (ModelConfig(), TrainConfig(candidates="deep", max_steps=6)),
        (TINY_MODEL, TrainConfig(max_steps=6, batch_size=4)),
    ],
    ids=["the quick one trained further", "a network of its own"],
)
@pytest.mark.usefixtures("real_exports")
def test_deep_round_with_partial_labels_of_two_tasks_answers_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: ModelConfig, recipe: TrainConfig
) -> None:
    for name in ("STEPS", "MORE_STEPS"):  # what a quick round finds is measured above
        monkeypatch.setattr(fit, name, 20)
    folder = snapshot(tmp_path, [CLASSES, DETECTION], model=model, train=recipe)
    card, predictor = trained(folder, tmp_path / "out")
    assert card.parity.differences.keys() == {"embedding", "classification", "detection"}
    assert max(card.parity.differences.values()) <= card.parity.tolerance
    outputs = predictor.predict(np.full((3, 45, 70), 120, np.float32))
    assert outputs["classification"].shape == (2,)
    assert outputs["detection"].shape[1] == 6
    assert np.isfinite(outputs["detection"]).all()


def test_steps_of_a_fit_are_counted_and_of_one_thread() -> None:
    """Threads that meet after each small operation took half an hour of busy cores for what takes seconds."""
    kept, steps = KeptStages(), list[int]()
    boxes = np.array([[2, 2, 8, 8, 0]], np.float32)
    kept.add(KeptChip([torch.zeros(1, 16, 16).half()], torch.ones(1, 16, 16, dtype=torch.bool), boxes))

    class Counting(torch.nn.Conv2d):
        def forward(self, encoded: Any) -> torch.Tensor:
            steps.append(torch.get_num_threads())
            return super().forward(encoded.stages[0])

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        task, rng = task_of(DETECTION), np.random.default_rng(0)
        fit._fit(Counting(1, 1, 1), lambda answer, truth: answer.mean(), kept, task, 7, 1e-3, rng)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert steps == [1] * 7
