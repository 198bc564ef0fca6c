"""The serving version is measured on classes that it does not know, and is wrong about them."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from models.card import TaskSpec
from models.inference.predictor import Predictor
from models.manifest import Manifest, read_manifest
from models.registry import ONNX_FILE
from models.training.data.dataset import ChipReader, LabelledSample, read_samples
from models.training.data.label_counts import count_labels
from models.training.evaluate import Contender, evaluate
from models.training.incumbent import load_incumbent
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx
from tests.models.training.fixtures import write_snapshot

KNOWN = ["one", "two", "three"]


def manifest_of(tmp_path: Path, tasks: list[TaskSpec], rows: list[dict[str, object]], tile_px: int = 128) -> Manifest:
    version = make_tiny_onnx(tmp_path / "models", classes=KNOWN, tile_px=tile_px)
    write_snapshot(tmp_path / "snapshot", rows, tasks)
    manifest = read_manifest(tmp_path / "snapshot")
    return msgspec.structs.replace(
        manifest, incumbent_onnx=str(version / ONNX_FILE), incumbent_version="v1", source_bands=3, bands=[1, 2, 3]
    )


def read_test(snapshot: Path, manifest: Manifest) -> tuple[list[LabelledSample], ChipReader]:
    return read_samples(snapshot, manifest)["test"], ChipReader(manifest)


def test_new_class_gets_probability_zero_under_its_name(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=32, height=32)
    names = ["three", "new", "one", "two"]
    tasks = [TaskSpec(task=task, classes=names) for task in ("classification", "segmentation")]
    manifest = manifest_of(tmp_path, tasks, [{"path": path, "split": "test", "classification": [0]}])
    contender, message = load_incumbent(manifest)
    assert contender is not None, message
    assert contender.tasks == tasks
    image = np.full((1, 3, 32, 40), np.array([10.0, 20.0, 3000.0])[:, None, None], np.float32)
    answers = contender.infer(image)
    assert answers["classification"].shape == (1, 4)
    assert names[int(answers["classification"][0].argmax())] == "three"
    assert answers["classification"][0, 1] == 0
    assert answers["segmentation"].shape == (1, 5, 32, 40)
    assert (answers["segmentation"].argmax(axis=1) == 1).all()
    assert (answers["segmentation"][:, 2] == 0).all()
    assert np.allclose(answers["segmentation"].sum(axis=1), 1, atol=1e-5)


def test_candidate_that_knows_the_new_class_is_better_by_its_share(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = []
    for index in range(8):
        content = np.full((3, 32, 32), 100.0)
        content[index % 2] = 3000.0
        path = make_scene(tmp_path / f"{index}.tif", width=32, height=32, content=content)
        rows.append({"path": path, "split": "test", "classification": [3 if index < 2 else index % 2]})
    task = TaskSpec(task="classification", classes=[*KNOWN, "new"])
    manifest = manifest_of(tmp_path, [task], rows)
    incumbent, _ = load_incumbent(manifest)
    assert incumbent is not None
    samples, reader = read_test(tmp_path / "snapshot", manifest)
    truth = iter(np.eye(4, dtype=np.float32)[[sample.targets["classification"][0] for sample in samples]])

    def know_all(images: np.ndarray) -> dict[str, np.ndarray]:
        return {"classification": np.stack([next(truth) for _ in images])}

    candidate = Contender(version="v2", tasks=[task], infer=know_all)
    found = evaluate(samples, reader, count_labels(samples, [task], reader), candidate, incumbent, 256)
    assert found.candidate[0].value == 1.0
    assert found.incumbent[0].value == 0.75
    assert found.incumbent[0].per_class["new"] == 0.0
    assert found.paired[0].difference == 0.25


def test_other_question_is_not_compared(tmp_path: Path) -> None:
    path = make_scene(tmp_path / "a.tif", width=32, height=32)
    row: dict[str, object] = {"path": path, "split": "test", "classification": [0]}
    for spec in (
        TaskSpec(task="classification", classes=["one", "two"]),
        TaskSpec(task="classification", classes=[*KNOWN, "new"], multi_label=True),
    ):
        contender, message = load_incumbent(manifest_of(tmp_path / str(spec.multi_label), [spec], [row]))
        assert contender is None
        assert "other tasks or classes" in message


def test_version_that_takes_one_size_only_is_measured_on_larger_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_scene(tmp_path / "a.tif", width=32, height=32)
    tasks = [TaskSpec(task=task, classes=KNOWN) for task in ("classification", "segmentation")]
    rows: list[dict[str, object]] = [{"path": path, "split": "test", "classification": [0]}]
    contender, message = load_incumbent(manifest_of(tmp_path, tasks, rows, tile_px=32))
    assert contender is not None, message
    shown = set()
    run = Predictor.run
    monkeypatch.setattr(Predictor, "run", lambda self, images: shown.add(images.shape[2:]) or run(self, images))
    images = np.random.default_rng(1).uniform(0, 3000, (2, 3, 40, 70)).astype(np.float32)
    images[1] = np.nan
    answers = contender.infer(images)
    assert shown == {(32, 32)}
    np.testing.assert_array_equal(answers["segmentation"][0].argmax(0), images[0].argmax(0) + 1)
    assert answers["classification"].shape == (2, 3)
