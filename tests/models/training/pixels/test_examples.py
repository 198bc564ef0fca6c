"""Labelled pixels teach the quick candidate in real runs: from masks, polygons and points, alone and beside images."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import rasterio
import shapely
import torch

from models.card import IGNORE, ModelCard, ModelConfig, TaskSpec
from models.inference.predictor import Predictor
from models.registry import ModelRegistry
from models.train import main
from models.training.pixels.examples import gather_pixels, joined_examples, pick_pixels
from models.training.pixels.head import PixelFeatures, PixelScaling
from models.training.tallies import TILE_PX
from tests.models.training.fixtures import split_of, write_snapshot

PLACE = {"driver": "GTiff", "crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 500_000, 0, -10, 0)}
PIXELS = TaskSpec(task="segmentation", classes=["smooth", "striped"])
WHOLE = TaskSpec(task="classification", classes=["bright", "dark"])
SIDE = 96


def scene(rng: np.random.Generator, border: int, *, bright: bool) -> np.ndarray:
    """Smooth left of a border and striped right of it, bright or dark as a whole: whole images have no up."""
    image = np.full((3, SIDE, SIDE), rng.integers(80, 140), np.float64)
    image[:, :, border:] += 40 * np.sign(np.sin(np.arange(SIDE - border) * rng.uniform(0.8, 1.6)))
    image += 60 if bright else 0
    return (image + rng.normal(0, 5, image.shape)).clip(1, 255).astype(np.uint8)


def shapes(kind: str, border: int, rng: np.random.Generator) -> list[tuple[int, bytes]]:
    """The same answer as a full mask, as small polygons, or as points."""
    left, right = shapely.box(0, 0, border, SIDE), shapely.box(border, 0, SIDE, SIDE)
    if kind == "polygons":
        left, right = shapely.box(2, 10, border - 6, 30), shapely.box(border + 6, 50, SIDE - 2, 80)
    if kind == "points":
        rows = rng.integers(0, SIDE, 8) + 0.5
        left = shapely.multipoints(np.column_stack([rng.integers(0, border - 4, 8) + 0.5, rows]))
        right = shapely.multipoints(np.column_stack([rng.integers(border + 4, SIDE, 8) + 0.5, rows]))
        return [(code, point.wkb) for code, part in ((1, left), (2, right)) for point in part.geoms]
    return [(1, left.wkb), (2, right.wkb)]


def snapshot(directory: Path, kind: str, tasks: list[TaskSpec], **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    rows = []
    for index in range(24):
        border, bright = int(rng.integers(32, 64)), bool(index % 2)
        path = directory / f"scene-{index}.tif"
        with rasterio.open(path, "w", width=SIDE, height=SIDE, count=3, dtype="uint8", nodata=0, **PLACE) as target:
            target.write(scene(rng, border, bright=bright))
        split = split_of(index)
        row = {"path": path, "split": split, "segmentation": shapes("masks" if split == "test" else kind, border, rng)}
        if WHOLE in tasks:
            row["classification"] = [int(not bright)]
        rows.append(row)
    write_snapshot(directory / "snapshot", rows, tasks, unlabelled="ignore", **changes)
    return directory / "snapshot"


def run(directory: Path, out: Path) -> ModelCard:
    assert main([str(directory), "--out", str(out)]) == 0
    return msgspec.json.decode((out / "card.json").read_bytes(), type=ModelCard)


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelCard, Path]:
    """A version that learnt from full masks."""
    root = tmp_path_factory.mktemp("masks")
    return run(snapshot(root, "masks", [PIXELS]), root / "out"), root / "out"


def test_pixels_are_right_from_full_masks(masks: tuple[ModelCard, Path]) -> None:
    card, _ = masks
    assert [(found.kind, found.won) for found in card.candidates] == [("quick", True)]
    assert card.evaluation.candidate[0].value >= 0.85
    assert card.parity.differences.keys() == {"embedding", "segmentation"}
    assert max(card.parity.differences.values()) <= card.parity.tolerance


def test_large_image_is_answered_in_tiles(masks: tuple[ModelCard, Path], tmp_path: Path) -> None:
    card, out = masks
    registry = ModelRegistry(tmp_path / "models")
    registry.publish("v1", out, card)
    small = scene(np.random.default_rng(1), 48, bright=False).astype(np.float32)
    answers = Predictor(registry.path("v1"), device="cpu").predict(np.tile(small, (1, 8, 8)))
    assert answers["segmentation"].shape == (3, 768, 768)
    np.testing.assert_allclose(answers["segmentation"].sum(axis=0), 1, atol=1e-4)
    truth = np.tile(np.repeat([1, 2], 48), 8)
    assert (answers["segmentation"].argmax(axis=0) == truth).mean() > 0.8
    assert answers["embedding"].shape == (card.embedding_size,)


def test_parts_of_pixels_are_right_from_small_polygons(tmp_path: Path) -> None:
    folder = snapshot(tmp_path, "polygons", [PIXELS], model=ModelConfig(output_scale=2))
    card = run(folder, tmp_path / "out")
    assert (card.model.output_scale, card.tile_px) == (2, TILE_PX // 2)
    assert card.evaluation.candidate[0].value >= 0.8
    assert card.parity.differences.keys() == {"embedding", "segmentation", "segmentation_fine"}
    assert max(card.parity.differences.values()) <= card.parity.tolerance
    registry = ModelRegistry(tmp_path / "models")
    registry.publish("v1", tmp_path / "out", card)
    image = scene(np.random.default_rng(1), 48, bright=False).astype(np.float32)[None]
    own, both = (Predictor(registry.path("v1"), device="cpu", fine=fine).run(image) for fine in (False, True))
    assert own.keys() == {"embedding", "segmentation"}
    fine = both["segmentation_fine"]
    assert fine.shape == (1, 3, 2 * SIDE, 2 * SIDE)
    np.testing.assert_allclose(own["segmentation"], fine.reshape(1, 3, SIDE, 2, SIDE, 2).mean(axis=(3, 5)), atol=1e-5)
    assert (fine[0].argmax(axis=0) == np.repeat([1, 2], SIDE)).mean() > 0.8


def test_one_network_answers_images_and_pixels_from_points(tmp_path: Path) -> None:
    card = run(snapshot(tmp_path, "points", [WHOLE, PIXELS]), tmp_path / "out")
    values = {found.task: found.value for found in card.evaluation.candidate}
    assert values["classification"] >= 0.9
    assert values["segmentation"] >= 0.85
    assert set(card.temperature) == {"classification", "segmentation"}


def test_rare_classes_keep_all_pixels_and_ignored_ones_say_nothing() -> None:
    rng = np.random.default_rng(2)
    codes = np.full((40, 50), IGNORE, np.uint8)
    assert not len(pick_pixels(codes, rng))
    codes[3, 4], codes[10:30] = 2, 1
    picked = pick_pixels(codes, rng, 50)
    assert np.bincount(codes.ravel()[picked]).tolist() == [0, 50, 1]
    assert len(np.unique(picked)) == 51


def test_nothing_joined_is_nothing() -> None:
    assert joined_examples([]).codes.shape == (0,)


@pytest.mark.parametrize(("labelled", "counted"), [(1.0, True), (0.5, True), (0.4, False)])
def test_pixels_stand_for_those_of_their_window_where_it_is_labelled(labelled: float, counted: bool) -> None:
    features = PixelFeatures(PixelScaling(np.zeros(4, np.float32), np.ones(4, np.float32)), [4], [2])
    codes = np.full((40, 50), IGNORE, np.uint8)
    codes[: round(40 * labelled)], codes[0, :20] = 1, 2
    found = gather_pixels(features, [torch.zeros(1, 4, 32, 32)], codes, 7, np.random.default_rng(0))
    sums = np.bincount(found.codes, found.stand_for, minlength=3)
    expected = np.bincount(codes[codes != IGNORE], minlength=3) if counted else np.zeros(3)
    np.testing.assert_allclose(sums, expected)
    assert found.only(np.array([1, 0])).stand_for.tolist() == found.stand_for[[1, 0]].tolist()
