"""Pixel heads as ONNX nodes behind those of `models.encoders.graph`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.training.pixels.head import CLIP, PixelFeatures, PixelHead


class PixelGraph:
    """Adds nodes to a graph whose stages have names."""

    def __init__(self, graph: onnx.GraphProto, features: PixelFeatures, stages: Sequence[str]) -> None:
        """Add the standardised stages.

        Args:
            graph: Is changed.
            features: What they are.
            stages: Names of the stages' values.
        """
        self._graph = graph
        self._strides = features.strides
        low, high = (self._constant(f"pixel_{name}", value) for name, value in (("least", -CLIP), ("most", CLIP)))
        self._scaled = []
        means, deviations = features.parts(features.mean), features.parts(features.deviation)
        for stage, mean, deviation, factor in zip(stages, means, deviations, features.factors, strict=True):
            value = self._add("Sub", [stage, self._constant(f"{stage}_mean", mean.numpy())], f"{stage}_centred")
            value = self._add(
                "Div", [value, self._constant(f"{stage}_deviation", deviation.numpy())], f"{stage}_standardised"
            )
            value = self._add("Clip", [value, low, high], f"{stage}_clipped")
            self._scaled.append(self._add("Mul", [value, self._constant(f"{stage}_factor", factor)], f"{stage}_scaled"))

    def add_head(self, name: str, head: PixelHead, temperature: float) -> str:
        """Add the head of a task; returns the name of its calibrated logits (N, K, S H, S W) for its `output_scale`."""
        weight = (head.weight / temperature).numpy()
        bias = self._constant(f"{name}_bias", (head.bias / temperature).numpy())
        finest, logits, start = self._strides[0], bias, 0
        for number, (stage, stride, size) in enumerate(zip(self._scaled, self._strides, head.channels, strict=True)):
            part = self._constant(f"{name}_weight_{number}", weight[:, start : start + size])
            start += size
            answer = self._add("Conv", [stage, part], f"{name}_answer_{number}")
            answer = self._enlarged(answer, stride // finest)
            logits = self._add("Add", [logits, answer], f"{name}_sum_{number}")
        return self._enlarged(logits, head.output_scale * finest)

    def _enlarged(self, value: str, times: int) -> str:
        if times == 1:
            return value
        scales = self._constant(f"{value}_scales", np.array([1, 1, times, times], np.float32))
        return self._add(
            "Resize", [value, "", scales], f"{value}_enlarged",
            mode="linear", coordinate_transformation_mode="half_pixel",
        )  # fmt: skip

    def _constant(self, name: str, value: float | NDArray[Any]) -> str:
        self._graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32, order="C"), name))
        return name

    def _add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:  # noqa: ANN401  # as ONNX takes them
        self._graph.node.append(helper.make_node(kind, inputs, [output], **attributes))
        return output
