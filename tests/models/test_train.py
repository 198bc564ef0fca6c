"""One real run from a snapshot to a published version that answers."""

import json
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest

from models.card import Evaluation, ModelCard
from models.inference.predictor import Predictor
from models.manifest import Manifest, read_manifest, write_manifest
from models.programs import KNOWN_FAILURE
from models.progress import PROGRESS_FILE
from models.rasters.reading import read_raster
from models.registry import ONNX_FILE, ModelRegistry
from models.train import main
from models.training.data.dataset import read_samples
from tests.models.training.fixtures import CLASSIFICATION, TINY_MODEL, TrainedRun, split_of, write_chips, write_snapshot


def card_of(run: TrainedRun) -> ModelCard:
    return msgspec.json.decode((run.out / "card.json").read_bytes(), type=ModelCard)


@pytest.fixture(scope="session")
def published(trained_run: TrainedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    registry = ModelRegistry(tmp_path_factory.mktemp("models"))
    registry.publish("v1", trained_run.out, card_of(trained_run))
    return registry.path("v1")


def test_run_learns_both_tasks_and_says_so_on_the_reserve(trained_run: TrainedRun) -> None:
    evaluation = msgspec.json.decode((trained_run.out / "evaluation.json").read_bytes(), type=Evaluation)
    by_task = {entry.task: entry for entry in evaluation.candidate}
    assert by_task["classification"].metric == "accuracy"
    assert by_task["classification"].value > by_task["classification"].baseline + 0.3
    assert by_task["segmentation"].metric == "miou"
    assert by_task["segmentation"].value > by_task["segmentation"].baseline + 0.2
    for entry in evaluation.candidate:
        assert entry.low <= entry.value <= entry.high
    assert evaluation.incumbent == []


def test_run_reports_its_phases_in_order(trained_run: TrainedRun) -> None:
    lines = [json.loads(line) for line in (trained_run.out / PROGRESS_FILE).read_text().splitlines()]
    phases = list(dict.fromkeys(line["phase"] for line in lines))
    assert phases == ["training", "evaluating", "exporting"]
    steps = [line for line in lines if "loss" in line]
    assert steps[-1]["done"] == steps[-1]["total"]
    assert steps[-1]["loss"] < steps[0]["loss"]


def test_card_matches_the_manifest(trained_run: TrainedRun) -> None:
    card, manifest = card_of(trained_run), read_manifest(trained_run.snapshot)
    assert (card.version, card.bands, card.tasks) == (manifest.version, manifest.bands, manifest.tasks)
    splits = read_samples(trained_run.snapshot, manifest)
    seen = [sample for split in ("train", "calibration") for sample in splits[split]]
    assert card.labels == sum(bool(sample.targets) for sample in seen)
    assert card.parity.differences.keys() == {"classification", "segmentation", "embedding"}
    assert max(card.parity.differences.values()) <= card.parity.tolerance
    assert card.digests == {}


def test_onnx_file_carries_what_programs_of_a_gis_read(trained_run: TrainedRun) -> None:
    session = onnxruntime.InferenceSession(
        (trained_run.out / ONNX_FILE).read_bytes(), providers=["CPUExecutionProvider"]
    )
    found = session.get_modelmeta().custom_metadata_map
    assert json.loads(found["model_type"]) == "Segmentor"
    assert json.loads(found["class_names"])["0"] == "background"
    assert {"tiles_size", "tiles_overlap", "standardization_mean", "seg_thresh"} <= found.keys()


def test_published_version_answers_for_images_of_any_size(published: Path) -> None:
    predictor = Predictor(published, device="cpu")
    image = np.full((3, 45, 70), 2000.0, np.float32)
    image[:, :5] = np.nan
    outputs = predictor.predict(image)
    assert outputs["classification"].shape == (3,)
    assert outputs["classification"].sum() == pytest.approx(1.0, abs=1e-5)
    assert outputs["segmentation"].shape == (3, 45, 70)
    np.testing.assert_allclose(outputs["segmentation"].sum(axis=0), 1.0, atol=1e-5)
    assert np.isfinite(outputs["embedding"]).all()


def test_padding_with_invalid_pixels_leaves_the_class_alone(published: Path, trained_run: TrainedRun) -> None:
    predictor = Predictor(published, device="cpu")
    paths = sorted(trained_run.snapshot.parent.glob("chip-*.tif"))
    image = read_raster(paths[1], [1, 2, 3])
    padded = np.full((3, 32, 64), np.nan, np.float32)
    padded[:, :, :32] = image
    assert (
        predictor.answer("classification", image).argmax() == predictor.answer("classification", padded).argmax() == 1
    )


def test_retraining_is_compared_with_the_serving_version_on_the_same_samples(
    trained_run: TrainedRun, published: Path, tmp_path: Path
) -> None:
    manifest = retrained(trained_run, tmp_path / "snapshot", incumbent_onnx=str(published / "model.onnx"))
    assert main([str(tmp_path / "snapshot"), "--out", str(tmp_path / "out")]) == 0
    evaluation = msgspec.json.decode((tmp_path / "out" / "evaluation.json").read_bytes(), type=Evaluation)
    before = msgspec.json.decode((trained_run.out / "evaluation.json").read_bytes(), type=Evaluation)
    assert evaluation.incumbent_version == manifest.incumbent_version
    assert [entry.value for entry in evaluation.incumbent] == [entry.value for entry in before.candidate]
    for new, old, paired in zip(evaluation.candidate, evaluation.incumbent, evaluation.paired, strict=True):
        assert paired.difference == pytest.approx(new.value - old.value)
        assert paired.low <= paired.difference <= paired.high
        assert paired.samples == new.samples
    # The same labels and seed give the same weights, to the last bit.
    first, second = ((folder / "weights.safetensors").read_bytes() for folder in (trained_run.out, tmp_path / "out"))
    assert first == second


def retrained(run: TrainedRun, directory: Path, **changes: str) -> Manifest:
    """Copy the snapshot of a run with an incumbent."""
    directory.mkdir()
    (directory / "samples.parquet").write_bytes((run.snapshot / "samples.parquet").read_bytes())
    manifest = msgspec.structs.replace(read_manifest(run.snapshot), version="v2", incumbent_version="v1", **changes)
    write_manifest(directory, manifest)
    return manifest


def test_run_that_is_left_with_too_few_images_names_those_that_it_cannot_read(tmp_path: Path) -> None:
    paths = write_chips(tmp_path, [0, 1])
    paths[1].write_text("no raster")
    rows = [{"path": path, "split": "train", "classification": [index]} for index, path in enumerate(paths)]
    write_snapshot(tmp_path / "snapshot", rows, [CLASSIFICATION], model=TINY_MODEL)
    assert main([str(tmp_path / "snapshot"), "--out", str(tmp_path / "out")]) == KNOWN_FAILURE
    sentence = (tmp_path / "out" / "error.txt").read_text()
    assert "hold one answer only" in sentence
    assert "chip-001.tif" in sentence
    assert not (tmp_path / "out" / "model.onnx").exists()


@pytest.mark.parametrize(
    ("classes", "words"), [([0, 0, 0], "hold one answer only"), ([None] * 3, "no training sample has a classification")]
)
def test_run_refuses_labels_that_teach_nothing(tmp_path: Path, classes: list[int | None], words: str) -> None:
    rows = [
        {"path": path, "split": "train", "classification": None if label is None else [label]}
        for path, label in zip(write_chips(tmp_path, [0, 0, 0]), classes, strict=True)
    ]
    write_snapshot(tmp_path / "snapshot", rows, [CLASSIFICATION], model=TINY_MODEL)
    assert main([str(tmp_path / "snapshot"), "--out", str(tmp_path / "out")]) == KNOWN_FAILURE
    assert words in (tmp_path / "out" / "error.txt").read_text()


def test_run_says_that_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = [index % 3 for index in range(12)]
    rows = [
        {"path": path, "split": split_of(index), "classification": [labels[index]]}
        for index, path in enumerate(write_chips(tmp_path, labels))
    ]
    write_snapshot(tmp_path / "snapshot", rows, [CLASSIFICATION], model=TINY_MODEL)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.train.estimate_statistics", full)
    assert main([str(tmp_path / "snapshot"), "--out", str(tmp_path / "out")]) == KNOWN_FAILURE
    assert "the disk is full" in (tmp_path / "out" / "error.txt").read_text()
