"""Nodes mean the same in every opset."""

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from models.foreign.parts import GraphParts
from tests.models.foreign.graphs import FLOAT


@pytest.mark.parametrize("opset", [9, 13, 18])
def test_softmax_is_over_channels_in_every_opset(opset: int) -> None:
    parts = GraphParts(opset)
    result = parts.softmax(parts.channels("x", [2, 0]))
    graph = helper.make_graph(
        parts.nodes, "parts", [helper.make_tensor_value_info("x", FLOAT, [1, 3, 2, 2])],
        [helper.make_tensor_value_info(result, FLOAT, [1, 2, 2, 2])], parts.constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    image = np.random.default_rng(1).normal(size=(1, 3, 2, 2)).astype(np.float32)
    powers = np.exp(image[:, [2, 0]])
    np.testing.assert_allclose(
        ReferenceEvaluator(model).run(None, {"x": image})[0], powers / powers.sum(1, keepdims=True), rtol=1e-5
    )
