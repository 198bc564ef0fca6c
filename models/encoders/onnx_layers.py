"""The first layers of a network in an ONNX file as a torch module, and as nodes of another graph.

ONNX Runtime folds constants, batch normalisation and padding into the convolutions; five kinds of nodes remain.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from models.errors import ShippedWeightsError


class OnnxLayers(nn.Module):
    """(N, C, H, W) -> the asked values of a graph, (N, D, H / s, W / s) each; H and W multiples of their strides."""

    def __init__(self, file: Path, outputs: Sequence[str]) -> None:
        """Read them in float32, whatever the file has.

        Raises:
            ShippedWeightsError: The file has no such values, or needs other kinds of nodes.
        """
        super().__init__()
        model = _simplified(_cut(onnx.load(file), outputs, file))
        self.nodes = list(model.graph.node)
        self.input, self.outputs = model.graph.input[0].name, list(outputs)
        self.constants = {entry.name: number for number, entry in enumerate(model.graph.initializer)}
        for entry in model.graph.initializer:
            self.register_buffer(f"constant_{self.constants[entry.name]}", torch.from_numpy(_array(entry)))
        unknown = sorted({node.op_type for node in self.nodes} - _APPLY.keys())
        if unknown:
            raise ShippedWeightsError(f"{file} needs {', '.join(unknown)}, which is not known here")

    def value(self, name: str) -> Tensor:
        """A constant of the graph."""
        return self.get_buffer(f"constant_{self.constants[name]}")

    def forward(self, image: Tensor) -> list[Tensor]:
        """Compute the outputs in their order."""
        known = {self.input: image}
        for node in self.nodes:
            inputs = [known[name] if name in known else self.value(name) for name in node.input]
            known[node.output[0]] = _APPLY[node.op_type](node, inputs)
        return [known[name] for name in self.outputs]


def _convolve(node: onnx.NodeProto, inputs: list[Tensor]) -> Tensor:
    given: dict[str, Any] = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    top, left, bottom, right = given.get("pads", (0, 0, 0, 0))
    image, weight = inputs[:2]
    bias = inputs[2] if len(inputs) > 2 else None
    if top or left or bottom or right:
        image = F.pad(image, (left, right, top, bottom))
    strides, groups = given.get("strides", (1, 1)), given.get("group", 1)
    return F.conv2d(image, weight, bias, stride=list(strides), groups=groups)


_APPLY: dict[str, Callable[[onnx.NodeProto, list[Tensor]], Tensor]] = {
    "Conv": _convolve,
    "Sigmoid": lambda _, inputs: inputs[0].sigmoid(),
    "Mul": lambda _, inputs: inputs[0] * inputs[1],
    "Add": lambda _, inputs: inputs[0] + inputs[1],
    "GlobalAveragePool": lambda _, inputs: inputs[0].mean(dim=(2, 3), keepdim=True),
}


def _cut(model: onnx.ModelProto, outputs: Sequence[str], file: Path) -> onnx.ModelProto:
    """The part of a graph that some of its values need, in float32, for images of any size."""
    graph = model.graph
    makers = {output: index for index, node in enumerate(graph.node) for output in node.output}
    if missing := [name for name in outputs if name not in makers]:
        raise ShippedWeightsError(f"{file} has no value {missing[0]!r}")
    needed, asked = set[int](), list(outputs)
    while asked:
        index = makers.get(asked.pop())
        if index is not None and index not in needed:
            needed.add(index)
            asked += graph.node[index].input
    nodes = [graph.node[index] for index in sorted(needed)]
    for node in nodes:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
            if attribute.type == onnx.AttributeProto.TENSOR:
                attribute.t.CopyFrom(_in_float32(attribute.t))
    used = {name for node in nodes for name in node.input}
    bands = graph.input[0].type.tensor_type.shape.dim[1].dim_value
    return helper.make_model(
        helper.make_graph(
            nodes,
            "layers",
            [helper.make_tensor_value_info(graph.input[0].name, TensorProto.FLOAT, ["n", bands, "h", "w"])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [_in_float32(entry) for entry in graph.initializer if entry.name in used],
        ),
        opset_imports=list(model.opset_import),
        ir_version=model.ir_version,
    )


def _simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = f"{folder}/model.onnx"
        options.log_severity_level = 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def _in_float32(tensor: onnx.TensorProto) -> onnx.TensorProto:
    if tensor.data_type != TensorProto.FLOAT16:
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)


def _array(tensor: onnx.TensorProto) -> NDArray[Any]:
    return numpy_helper.to_array(tensor).copy()
