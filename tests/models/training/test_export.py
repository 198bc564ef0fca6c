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
from tests.data.exported_once import digest_of

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


def test_only_equal_networks_share_a_graph_in_the_tests_of_trainings() -> None:
    def made(temperature: float = 1.7, classes: tuple[str, ...] = ("a", "b", "c"), seed: int = 0) -> CalibratedNetwork:
        torch.manual_seed(seed)
        tasks = [TaskSpec(task="classification", classes=list(classes))]
        network = build(ModelConfig(encoder="test_resnet", embedding_size=8), tasks, STATISTICS)
        return CalibratedNetwork(network, tasks, {"classification": temperature})

    moved = made()
    next(buffer for name, buffer in moved.named_buffers() if name.endswith("running_mean"))[0] += 1e-6
    others = [made(temperature=1.8), made(classes=("a", "b", "d")), made(seed=1), moved]
    assert digest_of(made(), 2) == digest_of(made(), 2)
    assert len({digest_of(network, 2) for network in (made(), *others)}) == 1 + len(others)
    assert digest_of(made(), 3) != digest_of(made(), 2)
