from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models.errors import ExportParityError
from models.super_resolution.card import read_super_card
from models.super_resolution.exporting import check_super_parity
from tests.models.super_resolution.fixtures import land
from tests.models.super_resolution.test_network import network


def test_graph_takes_any_batch_and_size_and_agrees_with_torch(super_model: Path) -> None:
    card = read_super_card(super_model)
    assert card.parity.differences["image_hr"] < 1e-4
    session = onnxruntime.InferenceSession(
        (super_model / "model.onnx").read_bytes(), providers=["CPUExecutionProvider"]
    )
    for shape in ((1, 3, 9, 31), (4, 3, 20, 8)):
        (made,) = session.run(None, {"image": np.ones(shape, np.float32)})
        assert made.shape == (*shape[:2], 2 * shape[2], 2 * shape[3])


def test_another_network_is_found_out(super_model: Path) -> None:
    with pytest.raises(ExportParityError):
        check_super_parity(network(noise=0.5), super_model / "model.onnx", [land(1)])
