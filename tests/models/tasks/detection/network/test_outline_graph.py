"""The nodes that read sides from pixels answer as the function does."""

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

from models.tasks.detection.network.nodes import Nodes
from models.tasks.detection.network.outline import REFINED, once_each, outlined
from models.tasks.detection.network.outline_graph import once_each_nodes, outline_nodes


def test_nodes_answer_as_the_function_for_any_size_and_batch_and_leave_what_is_less_likely() -> None:
    names = ["contrast", "low", "high", "scores"]
    shapes = [[None, 1, None, None], *[[None, 2, None]] * 2, [None, None]]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in zip(names, shapes, strict=True)
    ]
    inputs.append(helper.make_tensor_value_info("label", TensorProto.INT64, [None, None]))
    graph = helper.make_graph([], "outlines", inputs, [])
    growth = np.array([1.2], np.float32)
    nodes = Nodes(graph, "outline")
    corners = outline_nodes(nodes, "contrast", ["low", "high"], growth)
    likely = once_each_nodes(nodes, corners, "scores", "label")
    for name in corners:
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2, None]))
    graph.output.append(helper.make_tensor_value_info(likely, TensorProto.FLOAT, [None, None]))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for batch, height, width in ((1, 32, 32), (3, 40, 64)):
        contrast = rng.normal(size=(batch, 1, height, width)).astype(np.float32)
        contrast[..., height // 2 : height // 2 + 6, 5:9] += 5
        contrast[..., : height // 4, :] = 0  # a flat part, as where there is no data
        middle = rng.uniform(-9, 70, (batch, REFINED + 20, 2))
        half = rng.uniform(0, 15, middle.shape)
        sides = torch.from_numpy(np.concatenate([middle - half, middle + half], axis=2).astype(np.float32))
        expected = outlined(torch.from_numpy(contrast), sides[:, :REFINED], torch.from_numpy(growth).expand(batch, 1))
        low, high = (
            np.ascontiguousarray(sides[..., part].numpy().transpose(0, 2, 1)) for part in (slice(2), slice(2, 4))
        )
        scores = np.sort(rng.uniform(0, 1, sides.shape[:2]).astype(np.float32))[:, ::-1].copy()
        label = rng.integers(0, 2, scores.shape)
        likely = once_each(expected, *(torch.from_numpy(values[:, :REFINED]) for values in (scores, label)))
        given = {"contrast": contrast, "low": low, "high": high, "scores": scores, "label": label}
        *corners, answered = session.run(None, given)
        found = np.concatenate(corners, axis=1).transpose(0, 2, 1)
        assert (likely.numpy() < scores[:, :REFINED]).any()
        assert np.abs(answered[:, :REFINED] - likely.numpy()).max() < 1e-4
        assert (answered[:, REFINED:] == scores[:, REFINED:]).all()
        assert np.abs(found[:, :REFINED] - expected.numpy()).max() < 1e-3
        assert (found[:, REFINED:] == sides[:, REFINED:].numpy()).all()
