"""The head and its decoding as ONNX nodes behind those of a frozen encoder, see `models.encoders.graph`.

`models.training.export.check_parity` proves that they answer as the modules do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from models.tasks.detection.network.decoding import LOG_SIZE, MOST_BOXES
from models.tasks.detection.network.head import GEOMETRY, GROUPS, NOWHERE, DetectionHead
from models.tasks.detection.network.linear import CLIP, LinearDetectionHead


class DetectorGraph:
    """Adds the nodes of one head to a graph."""

    def __init__(self, graph: onnx.GraphProto, prefix: str) -> None:
        """Add nothing yet.

        Args:
            graph: Is changed.
            prefix: Begins the name of every value.
        """
        self._graph, self._prefix, self._count = graph, prefix, 0

    def add(
        self, head: DetectionHead | LinearDetectionHead, image: str, stages: Sequence[str], temperature: float
    ) -> str:
        """Add head and decoding.

        Args:
            head: In evaluation mode.
            image: Name of the raw input (N, C, H, W).
            stages: Names of the encoder's stages, as many as it was built for.
            temperature: Of the centres' logits.

        Returns:
            Name of the answer (N, M, 6).
        """
        if isinstance(head, LinearDetectionHead):
            centres, geometry = self._sums(head, stages)
        else:
            centres, geometry = self._maps(head, stages)
        return self._boxes(head, self._known(head.stride, image, centres), geometry, temperature)

    def _sums(self, head: LinearDetectionHead, stages: Sequence[str]) -> tuple[str, str]:
        """Logits of the centres (N, K, h, w), and offsets and sizes (N, 4, h, w)."""
        total = self._constant(head.bias.detach().numpy())
        bounds = [self._constant(np.float32(value)) for value in (-CLIP, CLIP)]
        for place, (number, layer) in enumerate(zip(head.used, head.layers, strict=True)):
            mean, deviation = (self._constant(values.numpy()) for values in head.scaling(place))
            value = self._node("Div", self._node("Sub", stages[number], mean), deviation)
            value = self._convolved(layer, self._node("Clip", value, *bounds))
            total = self._node("Add", total, self._smoothly_enlarged(value, head.strides[place] // head.stride))
        channels = [self._numbers([value]) for value in (0, head.classes, head.classes + GEOMETRY - 1)]
        axis, step = self._numbers([1]), self._numbers([1])
        first, second = (self._node("Slice", total, *channels[at : at + 2], axis, step) for at in (0, 1))
        return first, second

    def _maps(self, head: DetectionHead, stages: Sequence[str]) -> tuple[str, str]:
        """The same of a pyramid."""
        merged: str | None = None
        for number in range(len(head.used) - 1, -1, -1):
            lateral = self._normed(head.laterals[number], stages[head.used[number]])
            if merged is not None:
                times = head.strides[number + 1] // head.strides[number]
                lateral = self._node("Add", lateral, self._enlarged(merged, times))
            merged = lateral
        for block in head.smooth:
            merged = self._node("Relu", self._normed(block, str(merged)))
        return self._convolved(head.centres, str(merged)), self._convolved(head.geometry, str(merged))

    def _known(self, side: int, image: str, centres: str) -> str:
        """Centres, but where the image has no valid pixel."""
        missing = self._node("Cast", self._node("IsNaN", image), to=TensorProto.FLOAT)
        invalid = self._node("ReduceMin", missing, self._numbers([1]), keepdims=1)
        valid = self._node("Sub", self._constant(np.float32(1)), invalid)
        if side > 1:
            valid = self._node("MaxPool", valid, kernel_shape=[side, side], strides=[side, side])
        somewhere = self._node("Greater", valid, self._constant(np.float32(0)))
        return self._node("Where", somewhere, centres, self._constant(np.float32(NOWHERE)))

    def _boxes(self, head: DetectionHead | LinearDetectionHead, centres: str, geometry: str, temperature: float) -> str:
        """See `decoding.decode`."""
        shape = self._node("Shape", centres)
        width = self._part(shape, 3)
        cells = self._node("Mul", self._part(shape, 2), width)
        heat = self._node("Sigmoid", self._node("Div", centres, self._constant(np.float32(temperature))))
        highest = self._node("MaxPool", heat, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
        peaks = self._node("Mul", heat, self._node("Cast", self._node("Equal", heat, highest), to=TensorProto.FLOAT))
        flat = self._node("Reshape", peaks, self._numbers([0, -1]))
        padded = self._node("Pad", flat, self._numbers([0, 0, 0, MOST_BOXES]))
        scores, places = self._nodes("TopK", [padded, self._numbers([MOST_BOXES])], 2, axis=1)
        label, cell = self._node("Div", places, cells), self._node("Mod", places, cells)
        index = self._node("Expand", self._node("Unsqueeze", cell, self._numbers([1])), self._numbers([1, 4, 1]))
        found = self._node("GatherElements", self._node("Reshape", geometry, self._numbers([0, 4, -1])), index, axis=2)
        corner = self._node(
            "Concat",
            *(self._node("Unsqueeze", self._node(kind, cell, width), self._numbers([1])) for kind in ("Mod", "Div")),
            axis=1,
        )
        side = self._constant(np.float32(head.stride))
        shift, log_size = self._slice(found, 0, 2), self._slice(found, 2, 4)
        middle = self._node("Mul", self._node("Add", self._node("Cast", corner, to=TensorProto.FLOAT), shift), side)
        bounds = [self._constant(np.float32(value)) for value in (-LOG_SIZE, LOG_SIZE)]
        size = self._node("Exp", self._node("Clip", log_size, *bounds))
        half = self._node("Mul", size, self._constant(np.float32(head.stride / 2)))
        known = self._node("Mod", label, self._constant(np.int64(head.classes)))  # of padding, whose score is 0
        rows = [
            self._node("Sub", middle, half),
            self._node("Add", middle, half),
            self._node("Unsqueeze", scores, self._numbers([1])),
            self._node("Unsqueeze", self._node("Cast", known, to=TensorProto.FLOAT), self._numbers([1])),
        ]
        return self._node("Transpose", self._node("Concat", *rows, axis=1), perm=[0, 2, 1])

    def _normed(self, block: nn.Module, value: str) -> str:
        """A convolution and its group normalisation: each group as one long channel of its own."""
        convolution, norm = block.children()
        if not isinstance(norm, nn.GroupNorm):
            raise TypeError(f"{type(norm).__name__} is no group normalisation")
        value = self._convolved(convolution, value)
        long = self._node("Reshape", value, self._numbers([0, GROUPS, -1]))
        ones, zeros = self._constant(np.ones(GROUPS, np.float32)), self._constant(np.zeros(GROUPS, np.float32))
        long = self._node("InstanceNormalization", long, ones, zeros, epsilon=norm.eps)
        value = self._node("Reshape", long, self._node("Shape", value))
        weight, bias = (self._constant(part.detach().numpy().reshape(1, -1, 1, 1)) for part in (norm.weight, norm.bias))
        return self._node("Add", self._node("Mul", value, weight), bias)

    def _convolved(self, layer: Any, value: str) -> str:  # noqa: ANN401  # a torch module
        inputs = [value, self._constant(layer.weight.detach().numpy())]
        if layer.bias is not None:
            inputs.append(self._constant(layer.bias.detach().numpy()))
        return self._node("Conv", *inputs, pads=[layer.padding[0]] * 4)

    def _enlarged(self, value: str, times: int) -> str:
        if times == 1:
            return value
        scales = self._constant(np.array([1, 1, times, times], np.float32))
        return self._node(
            "Resize", value, "", scales, mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )  # fmt: skip

    def _smoothly_enlarged(self, value: str, times: int) -> str:
        if times == 1:
            return value
        scales = self._constant(np.array([1, 1, times, times], np.float32))
        return self._node("Resize", value, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")

    def _part(self, shape: str, place: int) -> str:
        return self._node("Gather", shape, self._constant(np.int64(place)), axis=0)

    def _slice(self, value: str, start: int, stop: int) -> str:
        return self._node("Slice", value, *(self._numbers([number]) for number in (start, stop, 1)))

    def _numbers(self, values: Sequence[int]) -> str:
        return self._constant(np.array(values, np.int64))

    def _constant(self, value: NDArray[Any] | np.generic) -> str:
        name = self._name()
        self._graph.initializer.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def _node(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401  # as ONNX takes them
        return self._nodes(kind, inputs, 1, **attributes)[0]

    def _nodes(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:  # noqa: ANN401
        names = [self._name() for _ in range(outputs)]
        self._graph.node.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}_{self._count}"
