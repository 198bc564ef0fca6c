"""The nodes that read sides from pixels answer as the function does."""

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

from models.tasks.detection.network.nodes import Nodes
from models.tasks.detection.network.outline import REFINED, outlined
from models.tasks.detection.network.outline_graph import outline_nodes


def test_nodes_answer_as_the_function_for_any_size_and_batch_and_leave_what_is_less_likely() -> None:
    names = ["contrast", "low", "high"]
    shapes = [[None, 1, None, None], *[[None, 2, None]] * 2]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in zip(names, shapes, strict=True)
    ]
    graph = helper.make_graph([], "outlines", inputs, [])
    growth = np.array([1.2], np.float32)
    for name in outline_nodes(Nodes(graph, "outline"), "contrast", ["low", "high"], growth):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2, None]))
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
        found = np.concatenate(session.run(None, {"contrast": contrast, "low": low, "high": high}), axis=1)
        found = found.transpose(0, 2, 1)
        assert np.abs(found[:, :REFINED] - expected.numpy()).max() < 1e-3
        assert (found[:, REFINED:] == sides[:, REFINED:].numpy()).all()
