"""The quick candidate in real runs."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import rasterio
import timm
from safetensors.torch import save_file

from models.card import ModelCard, ModelConfig, TaskSpec
from models.encoders.session import describe_by
from models.encoders.wheel import SHIPPED_ENCODER
from models.errors import TrainingDataError
from models.heads.kernel_head import KernelHead, fit_kernel_head
from models.inference.predictor import Predictor
from models.manifest import read_manifest
from models.registry import ModelRegistry
from models.train import main
from models.training.data.augmentations import turn
from models.training.data.dataset import ChipReader, read_samples
from models.training.data.left_out import read_left_out
from models.training.data.statistics import estimate_statistics
from models.training.quick import describe, frozen_features, views_of
from tests.data.make_scene import make_scene
from tests.models.training.fixtures import split_of, write_snapshot

PLACE = {"driver": "GTiff", "crs": "EPSG:32631", "transform": rasterio.Affine(10, 0, 500_000, 0, -10, 0)}
NAMES = ["smooth", "striped"]
SINGLE = TaskSpec(task="classification", classes=NAMES)
SEVERAL = TaskSpec(task="classification", classes=NAMES, multi_label=True)


def snapshot(directory: Path, task: TaskSpec, count: int, **changes: Any) -> Path:
    """Chips of two textures; a corner of some is invalid."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(count):
        label = index % 2
        image = np.full((3, 64, 64), rng.integers(60, 180), np.float64)
        if label:
            image += 40 * np.sign(np.sin(np.arange(64) * rng.uniform(0.8, 1.6)))
        image += rng.normal(0, 5, image.shape)
        path = directory / f"chip-{index}.tif"
        with rasterio.open(path, "w", width=64, height=64, count=3, dtype="uint8", nodata=0, **PLACE) as target:
            target.write(image.clip(1, 255).astype(np.uint8))
        rows.append({"path": path, "split": split_of(index), "classification": [label]})
    write_snapshot(directory / "snapshot", rows, [task], **changes)
    return directory / "snapshot"


def run(directory: Path, out: Path) -> ModelCard:
    assert main([str(directory), "--out", str(out)]) == 0
    return msgspec.json.decode((out / "card.json").read_bytes(), type=ModelCard)


@pytest.mark.parametrize("task", [SINGLE, SEVERAL])
def test_version_answers_like_the_torch_network_and_is_right(tmp_path: Path, task: TaskSpec) -> None:
    folder = snapshot(tmp_path, task, 40)
    card = run(folder, tmp_path / "out")
    assert card.evaluation.candidate[0].value >= 0.9
    assert max(card.parity.differences.values()) <= card.parity.tolerance
    assert card.parity.differences.keys() == {"embedding", "classification"}
    assert [(found.kind, found.won) for found in card.candidates] == [("quick", True)]
    assert "quick is the only candidate" in (card.choice or "")
    registry = ModelRegistry(tmp_path / "models")
    registry.publish("v1", tmp_path / "out", card)
    answers = Predictor(registry.path("v1"), device="cpu").predict(np.full((3, 45, 70), 100.0, np.float32))
    assert answers["embedding"].shape == (card.embedding_size,)
    assert answers["classification"].argmax() == 0


def test_head_that_answers_by_closeness_is_exported_and_judged_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[KernelHead] = []

    def fit(embeddings: Any, targets: Any, reference: Any, groups: Any, **_: bool) -> KernelHead:
        head = fit_kernel_head(embeddings, targets, groups)
        assert head is not None
        heads.append(head)
        return head

    monkeypatch.setattr("models.training.quick.fit_best_head", fit)
    card = run(snapshot(tmp_path, SINGLE, 40), tmp_path / "out")
    (head,) = heads
    assert card.evaluation.candidate[0].value >= 0.9
    assert card.temperature["classification"] == head.temperature
    assert card.candidates[0].held_out == {"classification": head.held_out_accuracy}
    assert max(card.parity.differences.values()) <= card.parity.tolerance


def test_image_whose_features_are_not_finite_reaches_no_head_and_is_named(tmp_path: Path) -> None:
    folder = snapshot(tmp_path, SINGLE, 40)
    broken = tmp_path / "chip-1.tif"
    with rasterio.open(broken, "w", width=64, height=64, count=3, dtype="float32", **PLACE) as target:
        image = np.full((3, 64, 64), 100, np.float32)
        image[:, :2] = 3e38  # finite, but its square is not
        target.write(image)
    card = run(folder, tmp_path / "out")
    assert card.evaluation.candidate[0].value >= 0.9
    (left_out,) = read_left_out(tmp_path / "out")
    assert Path(left_out.path) == broken
    assert "not finite" in left_out.reason


@pytest.mark.parametrize(("views", "rows"), [(1, 1), (8, 8)])
def test_labelled_image_is_described_in_each_of_its_views(tmp_path: Path, views: int, rows: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (3, 32, 64), np.uint8)
    path = tmp_path / "chip.tif"
    with rasterio.open(path, "w", width=64, height=32, count=3, dtype="uint8", **PLACE) as target:
        target.write(image)
    row = {"path": path, "split": "train", "classification": [0]}
    manifest = write_snapshot(tmp_path / "snapshot", [row], [SINGLE])
    network = frozen_features(manifest, estimate_statistics(manifest.statistics_paths, manifest.bands))
    samples = read_samples(tmp_path / "snapshot", manifest)["train"]
    found = describe(network, samples, ChipReader(manifest), [SINGLE], views=views)
    assert found.features.shape == (rows, network.embedding_size)
    assert [sample.sample_id for sample in found.samples] == [0] * rows
    for view in range(views):
        turned = np.ascontiguousarray(turn(image, view)[None], np.float32)
        np.testing.assert_allclose(found.features[view], describe_by(network)(turned)[0], atol=1e-4)


def test_more_labels_are_never_described_in_more_views() -> None:
    counts = [views_of(labels * 128 * 128) for labels in (1, 256, 257, 1024, 1025, 4096, 4097)]
    assert counts == [8, 8, 4, 4, 2, 2, 1]


def test_four_labels_a_class_already_tell_textures_apart(tmp_path: Path) -> None:
    card = run(snapshot(tmp_path, SINGLE, 12), tmp_path / "out")
    assert card.labels <= 10
    assert card.evaluation.candidate[0].value == 1.0


def test_deep_network_is_judged_on_labels_that_neither_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.training.fit.MIN_STEPS", 2)
    monkeypatch.setattr("models.training.fit.EPOCHS", 1)
    folder = snapshot(tmp_path, SINGLE, 40)
    weights = tmp_path / "encoder.safetensors"
    save_file(timm.create_model(SHIPPED_ENCODER, num_classes=0).state_dict(), weights)
    manifest = read_manifest(folder)
    changed = msgspec.structs.replace(manifest, model=ModelConfig(pretrained_file=str(weights)), background=True)
    (folder / "manifest.json").write_bytes(msgspec.json.encode(changed))
    card = run(folder, tmp_path / "out")
    quick, deep = card.candidates
    assert (quick.kind, deep.kind) == ("quick", "deep")
    values = [found.held_out["classification"] for found in (quick, deep)]
    assert None not in values
    assert quick.won == (values[0] >= values[1])
    assert deep.won != quick.won
    assert "on held-out training labels" in (card.choice or "")


def test_thirteen_bands_are_read_as_colour_infrared(tmp_path: Path) -> None:
    paths = [make_scene(tmp_path / f"{number}.tif", width=32, height=32, bands=13, seed=number) for number in range(2)]
    rows = [{"path": path, "split": "train", "classification": [0]} for path in paths]
    manifest = write_snapshot(tmp_path / "snapshot", rows, [SINGLE], source_bands=13, bands=list(range(1, 14)))
    statistics = estimate_statistics(manifest.statistics_paths, manifest.bands)
    first: Any = frozen_features(manifest, statistics).stages.stem[0]
    read = [band for band in manifest.bands if first.weight[:, band - 1].abs().max() > 0]
    assert read == [3, 4, 8]
    other = msgspec.structs.replace(manifest, sensor="rgb")
    with pytest.raises(TrainingDataError, match="rgb, which has 3 bands"):
        frozen_features(other, statistics)
