"""The head and its decoding as ONNX nodes behind those of a frozen encoder, see `models.encoders.graph`.

`models.training.export.check_parity` proves that they answer as the modules do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto
from torch import nn

from models.tasks.detection.network.decoding import LOG_SIZE, MOST_BOXES
from models.tasks.detection.network.head import GEOMETRY, GROUPS, NOWHERE, DetectionHead
from models.tasks.detection.network.linear import CLIP, LinearDetectionHead
from models.tasks.detection.network.nodes import Nodes
from models.tasks.detection.network.outline_graph import once_each_nodes, outline_nodes


class DetectorGraph:
    """Adds the nodes of one head to a graph."""

    def __init__(self, graph: onnx.GraphProto, prefix: str) -> None:
        """Add nothing yet.

        Args:
            graph: Is changed.
            prefix: Begins the name of every value.
        """
        self._to = Nodes(graph, prefix)

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
        contrast = None
        if isinstance(head, LinearDetectionHead) and head.outlines:
            contrast = self._to.node("Conv", stages[0], self._to.constant(head.contrast.numpy()))
        return self._boxes(head, self._known(head.stride, image, centres), geometry, contrast, temperature)

    def _sums(self, head: LinearDetectionHead, stages: Sequence[str]) -> tuple[str, str]:
        """Logits of the centres (N, K, h, w), and offsets and sizes (N, 4, h, w)."""
        total = self._to.constant(head.bias.detach().numpy())
        bounds = [self._to.constant(np.float32(value)) for value in (-CLIP, CLIP)]
        for place, (number, layer) in enumerate(zip(head.used, head.layers, strict=True)):
            mean, deviation = (self._to.constant(values.numpy()) for values in head.scaling(place))
            value = self._to.node("Div", self._to.node("Sub", stages[number], mean), deviation)
            value = self._convolved(layer, self._to.node("Clip", value, *bounds))
            total = self._to.node("Add", total, self._smoothly_enlarged(value, head.strides[place] // head.stride))
        channels = [self._to.numbers([value]) for value in (0, head.classes, head.classes + GEOMETRY - 1)]
        axis, step = self._to.numbers([1]), self._to.numbers([1])
        first, second = (self._to.node("Slice", total, *channels[at : at + 2], axis, step) for at in (0, 1))
        return first, second

    def _maps(self, head: DetectionHead, stages: Sequence[str]) -> tuple[str, str]:
        """The same of a pyramid."""
        merged: str | None = None
        for number in range(len(head.used) - 1, -1, -1):
            lateral = self._normed(head.laterals[number], stages[head.used[number]])
            if merged is not None:
                times = head.strides[number + 1] // head.strides[number]
                lateral = self._to.node("Add", lateral, self._enlarged(merged, times))
            merged = lateral
        for block in head.smooth:
            merged = self._to.node("Relu", self._normed(block, str(merged)))
        return self._convolved(head.centres, str(merged)), self._convolved(head.geometry, str(merged))

    def _known(self, side: int, image: str, centres: str) -> str:
        """Centres, but where the image has no valid pixel."""
        missing = self._to.node("Cast", self._to.node("IsNaN", image), to=TensorProto.FLOAT)
        invalid = self._to.node("ReduceMin", missing, self._to.numbers([1]), keepdims=1)
        valid = self._to.node("Sub", self._to.constant(np.float32(1)), invalid)
        if side > 1:
            valid = self._to.node("MaxPool", valid, kernel_shape=[side, side], strides=[side, side])
        somewhere = self._to.node("Greater", valid, self._to.constant(np.float32(0)))
        return self._to.node("Where", somewhere, centres, self._to.constant(np.float32(NOWHERE)))

    def _boxes(
        self,
        head: DetectionHead | LinearDetectionHead,
        centres: str,
        geometry: str,
        contrast: str | None,
        temperature: float,
    ) -> str:
        """See `decoding.decode`."""
        shape = self._to.node("Shape", centres)
        width = self._to.part(shape, 3)
        cells = self._to.node("Mul", self._to.part(shape, 2), width)
        heat = self._to.node("Sigmoid", self._to.node("Div", centres, self._to.constant(np.float32(temperature))))
        highest = self._to.node("MaxPool", heat, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
        peaks = self._to.node(
            "Mul", heat, self._to.node("Cast", self._to.node("Equal", heat, highest), to=TensorProto.FLOAT)
        )
        flat = self._to.node("Reshape", peaks, self._to.numbers([0, -1]))
        padded = self._to.node("Pad", flat, self._to.numbers([0, 0, 0, MOST_BOXES]))
        scores, places = self._to.nodes("TopK", [padded, self._to.numbers([MOST_BOXES])], 2, axis=1)
        label, cell = self._to.node("Div", places, cells), self._to.node("Mod", places, cells)
        index = self._to.node(
            "Expand", self._to.node("Unsqueeze", cell, self._to.numbers([1])), self._to.numbers([1, 4, 1])
        )
        found = self._to.node(
            "GatherElements", self._to.node("Reshape", geometry, self._to.numbers([0, 4, -1])), index, axis=2
        )
        corner = self._to.node(
            "Concat",
            *(
                self._to.node("Unsqueeze", self._to.node(kind, cell, width), self._to.numbers([1]))
                for kind in ("Mod", "Div")
            ),
            axis=1,
        )
        side = self._to.constant(np.float32(head.stride))
        shift, log_size = self._slice(found, 0, 2), self._slice(found, 2, 4)
        middle = self._to.node(
            "Mul", self._to.node("Add", self._to.node("Cast", corner, to=TensorProto.FLOAT), shift), side
        )
        bounds = [self._to.constant(np.float32(value)) for value in (-LOG_SIZE, LOG_SIZE)]
        size = self._to.node("Exp", self._to.node("Clip", log_size, *bounds))
        half = self._to.node("Mul", size, self._to.constant(np.float32(head.stride / 2)))
        known = self._to.node("Mod", label, self._to.constant(np.int64(head.classes)))  # of padding, whose score is 0
        corners = [self._to.node("Sub", middle, half), self._to.node("Add", middle, half)]
        if contrast is not None and isinstance(head, LinearDetectionHead):
            corners = outline_nodes(self._to, contrast, corners, head.growth.numpy())
            scores = once_each_nodes(self._to, corners, scores, known)
        rows = [
            *corners,
            self._to.node("Unsqueeze", scores, self._to.numbers([1])),
            self._to.node("Unsqueeze", self._to.node("Cast", known, to=TensorProto.FLOAT), self._to.numbers([1])),
        ]
        return self._to.node("Transpose", self._to.node("Concat", *rows, axis=1), perm=[0, 2, 1])

    def _normed(self, block: nn.Module, value: str) -> str:
        """A convolution and its group normalisation: each group as one long channel of its own."""
        convolution, norm = block.children()
        if not isinstance(norm, nn.GroupNorm):
            raise TypeError(f"{type(norm).__name__} is no group normalisation")
        value = self._convolved(convolution, value)
        long = self._to.node("Reshape", value, self._to.numbers([0, GROUPS, -1]))
        ones, zeros = self._to.constant(np.ones(GROUPS, np.float32)), self._to.constant(np.zeros(GROUPS, np.float32))
        long = self._to.node("InstanceNormalization", long, ones, zeros, epsilon=norm.eps)
        value = self._to.node("Reshape", long, self._to.node("Shape", value))
        weight, bias = (
            self._to.constant(part.detach().numpy().reshape(1, -1, 1, 1)) for part in (norm.weight, norm.bias)
        )
        return self._to.node("Add", self._to.node("Mul", value, weight), bias)

    def _convolved(self, layer: Any, value: str) -> str:  # noqa: ANN401  # a torch module
        inputs = [value, self._to.constant(layer.weight.detach().numpy())]
        if layer.bias is not None:
            inputs.append(self._to.constant(layer.bias.detach().numpy()))
        return self._to.node("Conv", *inputs, pads=[layer.padding[0]] * 4)

    def _enlarged(self, value: str, times: int) -> str:
        if times == 1:
            return value
        scales = self._to.constant(np.array([1, 1, times, times], np.float32))
        return self._to.node(
            "Resize", value, "", scales, mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )  # fmt: skip

    def _smoothly_enlarged(self, value: str, times: int) -> str:
        if times == 1:
            return value
        scales = self._to.constant(np.array([1, 1, times, times], np.float32))
        return self._to.node("Resize", value, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")

    def _slice(self, value: str, start: int, stop: int) -> str:
        return self._to.node("Slice", value, *(self._to.numbers([number]) for number in (start, stop, 1)))
