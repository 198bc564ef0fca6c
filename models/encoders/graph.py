"""Frozen features as an ONNX graph, written node by node.

torch's exporter takes 15 seconds for a network of this depth with images of any size; these few kinds of nodes take
less than one. `models.training.export.check_parity` proves that the graph answers as the module does.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.encoders.frozen import BAND_CLIP, FrozenFeatures, SpectralStages
from models.encoders.lite0 import SamePadConv2d
from models.encoders.stages import STAGES

OPSET = 20
IR_VERSION = 10
"""What ONNX Runtime 1.18 and later read."""

INPUT, EMBEDDING = "image", "embedding"

STANDARD_BANDS = "standard_bands"
"""Name of the value of `FrozenFeatures.standard_bands` in the graph."""

BANDS = "band_maps"
"""Name of the value of `FrozenFeatures.band_maps` in the graph."""


def frozen_graph(network: FrozenFeatures, *, band_maps: bool = False) -> onnx.ModelProto:
    """The graph of `FrozenFeatures.forward`: input `image`, float32 (N, C, H, W), and output `embedding` (N, D).

    Its stages are values named by `stage_name`, for nodes that are added to it, and if asked for there are `BANDS` and
    `STANDARD_BANDS`.
    """
    graph = _Graph()
    if band_maps:
        _band_maps(graph, network)
    bands = network.average.shape[1]
    filled, valid = _filled(graph, network)
    stages = _stages(graph, network, filled)
    strides = network.stage_strides
    parts = [_pooled(graph, stage, valid, stride) for stage, stride in zip(stages, strides, strict=True)]
    if network.spectral is not None:
        spectral = zip(_spectral(graph, network.spectral, filled), network.spectral.strides, strict=True)
        parts += [_pooled(graph, stage, valid, stride) for stage, stride in spectral]
    if network.band_statistics:
        parts += _band_statistics(graph, network, filled, valid)
    graph.add("Concat", parts, name=EMBEDDING, axis=1)
    outputs = [_described(EMBEDDING, ["batch", network.embedding_size])]
    image = _described(INPUT, ["batch", bands, "height", "width"])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "frozen_features", [image], outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return model


def stage_name(number: int) -> str:
    """Name of the value of a stage in the graph."""
    return f"stage_{number}"


def _described(name: str, shape: Sequence[str | int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class _Graph:
    """Nodes and constants that are added one after another."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, inputs: Sequence[str], *, name: str | None = None, **attributes: Any) -> str:  # noqa: ANN401  # as ONNX takes them
        """Add a node; returns the name of its output."""
        output = name or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: NDArray[Any]) -> str:
        """Add an array; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def number(self, value: float) -> str:
        """Add a scalar; returns its name."""
        return self.constant(np.array(value, np.float32))


def _filled(graph: _Graph, network: FrozenFeatures) -> tuple[str, str]:
    """Raw values with the pool's mean where they are missing, and valid pixels."""
    missing = graph.add("IsNaN", [INPUT])
    share = graph.add("Cast", [missing], to=TensorProto.FLOAT)
    invalid = graph.add("ReduceMin", [share, graph.constant(np.array([1]))], keepdims=1)
    valid = graph.add("Sub", [graph.number(1), invalid])
    return graph.add("Where", [missing, graph.constant(network.average.numpy()), INPUT]), valid


def _stages(graph: _Graph, network: FrozenFeatures, filled: str) -> list[str]:
    value = graph.add("Sub", [filled, graph.constant(network.offset.numpy())])
    value = graph.add("Mul", [value, graph.constant(network.factor.numpy())])
    value = graph.add("Clip", [value, graph.number(0), graph.number(255)])
    value = graph.add("Div", [graph.add("Sub", [value, graph.number(127)]), graph.number(128)])
    if network.scale > 1:
        value = _resized(graph, value, network.scale)
    value = _convolved(graph, value, *network.stages.stem)
    outputs = []
    sequence: Any
    for number, sequence in enumerate(network.stages.blocks):
        for block in sequence:
            before = value
            for layers in _layers(block):
                value = _convolved(graph, value, *layers)
            if block.has_skip:
                value = graph.add("Add", [value, before])
        if number in STAGES:
            outputs.append(graph.add("Identity", [value], name=stage_name(number)))
    return outputs


def _layers(block: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401  # timm's blocks have no types
    """Convolutions of a block with the normalisation that follows each."""
    if hasattr(block, "conv_pwl"):
        return [(block.conv_pw, block.bn1), (block.conv_dw, block.bn2), (block.conv_pwl, block.bn3)]
    return [(block.conv_dw, block.bn1), (block.conv_pw, block.bn2)]


def _convolved(graph: _Graph, value: str, layer: Any, norm: Any) -> str:  # noqa: ANN401
    """A convolution with its normalisation folded in, and the clipping to 0..6 if there is one."""
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = (layer.weight * factor.view(-1, 1, 1, 1)).numpy()
    shift = (norm.bias - norm.running_mean * factor).numpy()
    size = layer.kernel_size[0]
    before, after = ((size - 2) // 2, (size - 1) // 2) if isinstance(layer, SamePadConv2d) else (size // 2, size // 2)
    value = graph.add(
        "Conv",
        [value, graph.constant(weight), graph.constant(shift)],
        strides=list(layer.stride),
        pads=[before, before, after, after],
        group=layer.groups,
    )
    if isinstance(norm.act, torch.nn.ReLU6):
        return graph.add("Clip", [value, graph.number(0), graph.number(6)])
    return value


def _pooled(graph: _Graph, stage: str, valid: str, stride: int) -> str:
    """Mean over valid pixels, as `models.encoders.frozen.pool_valid`."""
    sides = graph.constant(np.array([2, 3]))
    if stride > 1:
        valid = graph.add("AveragePool", [valid], kernel_shape=[stride, stride], strides=[stride, stride])
    total = graph.add("ReduceSum", [graph.add("Mul", [stage, valid]), sides], keepdims=0)
    weight = graph.add("ReduceSum", [valid, sides], keepdims=0)
    return graph.add("Div", [total, graph.add("Max", [weight, graph.number(1e-6)])])


def _band_statistics(graph: _Graph, network: FrozenFeatures, filled: str, valid: str) -> list[str]:
    standard = graph.add("Sub", [filled, graph.constant(network.average.numpy())])
    standard = graph.add("Div", [standard, graph.constant(network.deviation.numpy())])
    mean = _pooled(graph, standard, valid, 1)
    sides = graph.constant(np.array([2, 3]))
    centred = graph.add("Sub", [standard, graph.add("Unsqueeze", [mean, sides])])
    spread = _pooled(graph, graph.add("Mul", [centred, centred]), valid, 1)
    return [mean, graph.add("Sqrt", [spread])]


def _band_maps(graph: _Graph, network: FrozenFeatures) -> None:
    standard = graph.add("Sub", [INPUT, graph.constant(network.average.numpy())])
    standard = graph.add("Div", [standard, graph.constant(network.deviation.numpy())])
    standard = graph.add("Where", [graph.add("IsNaN", [INPUT]), graph.number(0), standard])
    standard = graph.add("Clip", [standard, graph.number(-BAND_CLIP), graph.number(BAND_CLIP)], name=STANDARD_BANDS)
    sides = [network.stage_strides[0]] * 2
    pooled = [graph.add(kind, [standard], kernel_shape=sides, strides=sides) for kind in ("AveragePool", "MaxPool")]
    graph.add("Concat", pooled, name=BANDS, axis=1)


def _spectral(graph: _Graph, network: SpectralStages, filled: str) -> list[str]:
    """The stages of the network for reflectances: the nodes of its own graph, renamed."""
    value = graph.add("Gather", [filled, graph.constant(np.array(network.rows))], axis=1)
    value = graph.add("Mul", [value, graph.constant(network.factor.numpy())])
    layers = network.layers
    names = {layers.input: graph.add("Add", [value, graph.constant(network.shift.numpy())])}
    names |= {name: graph.constant(layers.value(name).numpy()) for name in layers.constants}
    for node in layers.nodes:
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        names[node.output[0]] = graph.add(node.op_type, [names[name] for name in node.input], **attributes)
    return [names[name] for name in layers.outputs]


def _resized(graph: _Graph, value: str, times: int) -> str:
    scales = graph.constant(np.array([1, 1, times, times], np.float32))
    return graph.add("Resize", [value, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")
