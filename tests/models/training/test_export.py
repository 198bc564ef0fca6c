from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from models.card import BandStatistics, ModelConfig, TaskSpec
from models.errors import ExportParityError
from models.training.calibration import CalibratedNetwork
from models.training.export import TOLERANCE, check_parity, export_onnx
from models.training.networks.architectures import build
from tests.data.traced_once import FOLDER, structure_of, tracing_once

STATISTICS = BandStatistics(low=[0.0, 0.0], high=[3000.0, 3000.0], mean=[0.5, 0.5], std=[0.3, 0.3], samples=1)
TASKS = [TaskSpec(task="classification", classes=["a", "b", "c"], multi_label=True)]


@pytest.fixture(scope="module")
def chips() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.uniform(0, 3000, size=(2, 40, 50)).astype(np.float32) for _ in range(2)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[CalibratedNetwork, Path]:
    torch.manual_seed(0)
    network = build(ModelConfig(encoder="test_resnet", embedding_size=8), TASKS, STATISTICS)
    calibrated = CalibratedNetwork(network, TASKS, {"classification": 1.7})
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_onnx(calibrated, 2, path)
    return calibrated, path


def test_exported_file_stands_alone_and_agrees_with_torch(
    exported: tuple[CalibratedNetwork, Path], chips: list[np.ndarray]
) -> None:
    network, path = exported
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    report = check_parity(network, path, chips)
    assert report.differences.keys() == {"classification", "embedding"}
    assert max(report.differences.values()) < TOLERANCE / 10
    assert len({shape[0] for shape in report.shapes}) == 2
    assert len({tuple(shape[2:]) for shape in report.shapes}) == 2


def test_file_holds_nothing_that_differs_from_process_to_process(exported: tuple[CalibratedNetwork, Path]) -> None:
    """The exporter notes the ranges of sizes in the order of a set, so that equal models had other digests."""
    graph = onnx.load(exported[1]).graph
    assert list(graph.metadata_props) == []
    assert [len(node.metadata_props) for node in graph.node if node.metadata_props] == []


def test_planted_drift_is_refused(exported: tuple[CalibratedNetwork, Path], chips: list[np.ndarray]) -> None:
    network, path = exported
    with torch.no_grad():
        network.network.classifier.bias[0] += 0.01
    try:
        with pytest.raises(ExportParityError, match="classification") as caught:
            check_parity(network, path, chips)
    finally:
        with torch.no_grad():
            network.network.classifier.bias[0] -= 0.01
    assert caught.value.differences["classification"] > TOLERANCE
    assert caught.value.differences["embedding"] <= TOLERANCE


def test_answer_that_is_not_finite_is_refused(
    exported: tuple[CalibratedNetwork, Path], chips: list[np.ndarray]
) -> None:
    network, path = exported
    weight = network.network.classifier.weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(torch.nan)
    with pytest.raises(ExportParityError):
        check_parity(network, path, chips)
    with torch.no_grad():
        weight.copy_(kept)


def test_graph_of_another_network_answers_with_the_weights_that_are_filled_in(
    chips: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(temperature: float = 1.7, classes: tuple[str, ...] = ("a", "b", "c"), seed: int = 0) -> CalibratedNetwork:
        torch.manual_seed(seed)
        tasks = [TaskSpec(task="classification", classes=list(classes))]
        network = build(ModelConfig(encoder="test_resnet", embedding_size=8), tasks, STATISTICS)
        return CalibratedNetwork(network, tasks, {"classification": temperature})

    monkeypatch.setenv(FOLDER, str(tmp_path))
    export = tracing_once(export_onnx)
    moved = made(seed=2)
    for name, buffer in moved.named_buffers():
        if name.endswith("running_mean"):
            buffer += 0.1
    for network in (made(), made(temperature=0.4, seed=1), moved):
        export(network, 2, tmp_path / "filled")
        check_parity(network, tmp_path / "filled", chips)
        assert isinstance(network.temperature["classification"], float)
    assert len(list(tmp_path.glob("*.onnx"))) == 1
    with pytest.raises(ExportParityError):
        check_parity(made(), tmp_path / "filled", chips)
    assert structure_of(made(classes=("a", "b")), 2) != structure_of(made(), 2) != structure_of(made(), 3)


def test_map_finer_than_the_image_is_exported_beside_that_of_the_image(tmp_path: Path, chips: list[np.ndarray]) -> None:
    torch.manual_seed(0)
    tasks = [TaskSpec(task="segmentation", classes=["road"])]
    network = build(ModelConfig(encoder="test_resnet", embedding_size=8, output_scale=2), tasks, STATISTICS)
    calibrated = CalibratedNetwork(network.eval(), tasks, {"segmentation": 1.7}, 2)
    export_onnx(calibrated, 2, tmp_path / "model.onnx")
    report = check_parity(calibrated, tmp_path / "model.onnx", chips, calibrated.tasks)
    assert report.differences.keys() == {"segmentation", "segmentation_fine", "embedding"}
    with torch.no_grad():
        answers = calibrated(torch.zeros(1, 2, 64, 96))
    assert answers["segmentation"].shape == (1, 2, 64, 96)
    assert answers["segmentation_fine"].shape == (1, 2, 128, 192)
