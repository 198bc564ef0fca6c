"""Nodes and constants of a graph under construction, of operators that have one form from opset 9 on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

PREFIX = "foreign/"
"""Of all names of the graph from elsewhere."""
AXES_AS_INPUT = {"ReduceSum": 13, "ReduceMean": 18, "ReduceMax": 18}
"""Opset from which a reduction takes its axes as an input."""


class GraphParts:
    """Nodes and constants under construction."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def op(self, kind: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:  # noqa: ANN401
        """Add a node; returns the name of what it gives."""
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def answer(self, name: str) -> str:
        """An output of the graph from elsewhere, as float32."""
        return self.op("Cast", [PREFIX + name], to=TensorProto.FLOAT)

    def constant(self, value: NDArray[np.generic]) -> str:
        """Add a constant; returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def number(self, value: float) -> str:
        """A float32 constant without dimensions."""
        return self.constant(np.array(value, np.float32))

    def reduce(self, kind: str, of: str, axes: list[int], *, keep: bool = True) -> str:
        """A sum, mean or maximum over axes, which are an attribute or an input, as the opset has it."""
        if self.opset >= AXES_AS_INPUT[kind]:
            return self.op(kind, [of, self.constant(np.array(axes, np.int64))], keepdims=int(keep))
        return self.op(kind, [of], axes=axes, keepdims=int(keep))

    def softmax(self, of: str) -> str:
        """Over the channels; `Softmax` itself meant something else before opset 13."""
        powers = self.op("Exp", [self.op("Sub", [of, self.reduce("ReduceMax", of, [1])])])
        return self.op("Div", [powers, self.reduce("ReduceSum", powers, [1])])

    def one_minus(self, of: str) -> str:
        """1 - a value."""
        return self.op("Sub", [self.number(1), of])

    def known_channels(self, of: str, places: Sequence[int | None], count: int) -> str:
        """Channels of the campaign's classes, of `count` that there are; None: a class that is not among them, 0."""
        if None in places:
            zero = self.op("Mul", [self.channels(of, [0]), self.number(0)])
            of = self.op("Concat", [of, zero], axis=1)
        return self.channels(of, [count if place is None else place for place in places])

    def channels(self, of: str, places: Sequence[int]) -> str:
        """Some places of the second dimension."""
        return self.op("Gather", [of, self.constant(np.array(places, np.int64))], axis=1)
