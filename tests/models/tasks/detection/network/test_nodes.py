"""Nodes that are added one after another make a graph that runs."""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from models.tasks.detection.network.nodes import Nodes


def test_nodes_and_constants_of_two_prefixes_share_a_graph() -> None:
    value = helper.make_tensor_value_info("value", TensorProto.FLOAT, [None, None, 4])
    graph = helper.make_graph([], "sums", [value], [])
    one, other = Nodes(graph, "one"), Nodes(graph, "other")
    doubled = one.node("Mul", "value", one.number(2))
    width = other.node("Cast", other.part(other.node("Shape", doubled), 2), to=TensorProto.FLOAT)
    highest, _ = other.nodes("TopK", [doubled, other.numbers([1])], 2)
    answer = other.node("Add", other.node("Add", highest, width), other.constant(np.ones(1, np.float32)))
    graph.output.append(helper.make_tensor_value_info(answer, TensorProto.FLOAT, [None, None, 1]))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"value": np.array([[[1, 5, 2, 0]]], np.float32)})
    assert found.tolist() == [[[2 * 5 + 4 + 1]]]
