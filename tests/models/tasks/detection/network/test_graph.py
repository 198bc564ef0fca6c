"""The head as ONNX nodes answers as the module does."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from models.tasks.detection.network.decoding import decode
from models.tasks.detection.network.graph import DetectorGraph
from models.tasks.detection.network.head import DetectionHead
from models.tasks.detection.network.linear import LinearDetectionHead
from models.tasks.detection.task import Detection
from models.tasks.network import EncodedImages

CHANNELS = [8, 8, 16, 16, 24]


@pytest.mark.parametrize(("strides", "enlarged"), [([2, 4, 8, 8, 16], 2), ([4, 8, 16, 16, 32], 1)])
def test_graph_answers_as_the_module_for_any_size_and_batch(tmp_path: Path, strides: list[int], enlarged: int) -> None:
    torch.manual_seed(0)
    check(tmp_path, DetectionHead(CHANNELS, strides, 2, enlarged).eval(), strides)


@pytest.mark.parametrize(("strides", "enlarged"), [([2, 4, 8, 8, 16], 2), ([4, 8, 16, 16, 32], 1)])
def test_linear_head_answers_alike(tmp_path: Path, strides: list[int], enlarged: int) -> None:
    torch.manual_seed(0)
    head = LinearDetectionHead(CHANNELS, strides, 2, enlarged).eval()
    head.standardise([torch.rand(size) for size in CHANNELS], [torch.rand(size) + 0.3 for size in CHANNELS])
    with torch.no_grad():
        for layer in head.layers:
            layer.weight.normal_(std=0.3)
    check(tmp_path, head, strides)


def test_outlines_are_seen_alike(tmp_path: Path) -> None:
    torch.manual_seed(0)
    strides = [1, 2, 4, 8, 16]
    head = LinearDetectionHead(CHANNELS, strides, 2, enlarged=2).eval()
    with torch.no_grad():
        head.contrast[0, :3] = torch.tensor([0.8, 0.6, -0.3]).view(3, 1, 1)
        head.growth.fill_(1.2)
        for layer in head.layers:
            layer.weight.normal_(std=0.3)
    assert head.outlines
    check(tmp_path, head, strides)


def check(tmp_path: Path, head: DetectionHead | LinearDetectionHead, strides: list[int]) -> None:
    """Build the graph, and compare answers for images of two sizes with invalid corners."""
    if isinstance(head, DetectionHead):
        with torch.no_grad():
            head.centres.weight.mul_(100)
    stages = [f"stage_{number}" for number in range(len(strides))]
    sizes = [("image", 3), *zip(stages, CHANNELS, strict=True)]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, size, None, None]) for name, size in sizes]
    graph = helper.make_graph([], "head", inputs, [])
    answer = DetectorGraph(graph, "detector").add(head, "image", stages, 1.3)
    graph.output.append(helper.make_tensor_value_info(answer, TensorProto.FLOAT, [None, None, 6]))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, tmp_path / "head.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "head.onnx", providers=["CPUExecutionProvider"])
    task, rng = Detection(classes=["a", "b"]), np.random.default_rng(0)
    for batch, height, width in ((1, 32, 32), (3, 64, 96)):
        image = rng.normal(size=(batch, 3, height, width)).astype(np.float32)
        image[:, :, : height // 2, :9] = np.nan
        values = [
            rng.normal(size=(batch, size, height // stride, width // stride)).astype(np.float32)
            for size, stride in zip(CHANNELS, strides, strict=True)
        ]
        valid = torch.from_numpy(1 - np.isnan(image).all(axis=1, keepdims=True).astype(np.float32))
        with torch.inference_mode():
            seen = EncodedImages([torch.from_numpy(value) for value in values], valid, height, width, valid)
            expected = decode(head(seen), 1.3, 2).numpy()
        (found,) = session.run(None, {"image": image, **dict(zip(stages, values, strict=True))})
        assert found.shape == expected.shape
        assert (expected[..., 4] > 0.01).sum() > batch
        assert task.difference(expected, found) < 1e-4


def test_difference_does_not_mind_the_order_and_sees_what_is_off() -> None:
    task = Detection(classes=["a", "b"])
    one = np.array([[[0, 0, 8, 8, 0.9, 0], [20, 20, 30, 30, 0.8, 1], [0, 0, 0, 0, 0, 0]]], np.float32)
    assert task.difference(one, one[:, [1, 0, 2]]) == 0
    for column, by, least in ((0, 0.2, 1e-4), (4, 0.01, 5e-3), (5, 1, 0.5)):
        other = one.copy()
        other[0, 0, column] += by
        assert task.difference(one, other) > least
    assert task.difference(one, one[:, [1, 1, 2]]) > 1e-2
    other = one.copy()
    other[0, 0, 0] = np.nan
    assert not task.difference(one, other) <= 1
