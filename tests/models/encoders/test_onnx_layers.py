"""Layers of an ONNX file answer in torch as ONNX Runtime does."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models.encoders.onnx_layers import OnnxLayers
from models.errors import ShippedWeightsError
from tests.models.encoders.spectral_fixtures import SIDE, write_network


def test_layers_answer_as_the_file_does_and_at_other_sizes(tmp_path: Path) -> None:
    write_network(tmp_path / "small.onnx", 4)
    image = np.random.default_rng(0).normal(size=(2, 4, SIDE, SIDE)).astype(np.float32)
    model = onnx.load(tmp_path / "small.onnx")
    model.graph.output.extend(
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT16, None) for name in ("early", "late")]
    )
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(["early", "late"], {"input": image})
    layers = OnnxLayers(tmp_path / "small.onnx", ["early", "late"])
    for own, other in zip(layers(torch.from_numpy(image)), expected, strict=True):
        np.testing.assert_allclose(own.numpy(), other, atol=2e-3 * np.abs(other).max())  # it has half precision
    assert [tuple(stage.shape) for stage in layers(torch.zeros(1, 4, 32, 64))] == [(1, 4, 16, 32), (1, 4, 8, 16)]


def test_file_without_the_asked_value_is_refused(tmp_path: Path) -> None:
    write_network(tmp_path / "small.onnx", 4)
    with pytest.raises(ShippedWeightsError, match="has no value 'nowhere'"):
        OnnxLayers(tmp_path / "small.onnx", ["nowhere"])


def test_nodes_that_are_not_known_are_refused(tmp_path: Path) -> None:
    write_network(tmp_path / "small.onnx", 4)
    with pytest.raises(ShippedWeightsError, match="needs Relu"):
        OnnxLayers(tmp_path / "small.onnx", ["output"])
