"""The nodes of a pixel head answer as the module does."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from models.heads.linear_head import Head
from models.training.pixels.graph import PixelGraph
from models.training.pixels.head import PixelHead
from tests.models.training.pixels.test_head import CHANNELS, features

NAMES = ["first", "second", "third"]


@pytest.mark.parametrize("output_scale", [1, 2])
def test_nodes_answer_as_the_module_with_logits_divided_by_the_temperature(output_scale: int) -> None:
    known, stages = features((2, 4, 16))
    weights = np.random.default_rng(1).normal(size=(sum(CHANNELS) + 1, 3)).astype(np.float32)
    head = PixelHead(known, Head(weights=weights), output_scale).requires_grad_(False)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, f"{name}_h", f"{name}_w"])
        for name, channels in zip(NAMES, CHANNELS, strict=True)
    ]
    graph = helper.make_graph([], "pixels", inputs, [])
    name = PixelGraph(graph, known, NAMES).add_head("land", head, 2.0)
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, "height", "width"]))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found = session.run([name], {n: stage.numpy() for n, stage in zip(NAMES, stages, strict=True)})[0]
    with torch.inference_mode():
        expected = head(known(stages)).numpy() / 2
    assert found.shape[2] == output_scale * 2 * stages[0].shape[2]
    np.testing.assert_allclose(found, expected, atol=1e-4)
