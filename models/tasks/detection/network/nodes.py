"""Nodes and constants that are added to an ONNX graph one after another."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Nodes:
    """Adds to one graph, under names of its own."""

    def __init__(self, graph: onnx.GraphProto, prefix: str) -> None:
        """Add nothing yet.

        Args:
            graph: Is changed.
            prefix: Begins the name of every value.
        """
        self._graph, self._prefix, self._count = graph, prefix, 0

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401  # as ONNX takes them
        """Add a node; the name of its output."""
        return self.nodes(kind, inputs, 1, **attributes)[0]

    def nodes(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:  # noqa: ANN401
        """Add a node with several outputs; their names."""
        names = [self._name() for _ in range(outputs)]
        self._graph.node.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Add an array; its name."""
        name = self._name()
        self._graph.initializer.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def numbers(self, values: Sequence[int]) -> str:
        """Add integers as a constant of one dimension; its name."""
        return self.constant(np.array(values, np.int64))

    def number(self, value: float) -> str:
        """Add a scalar; its name."""
        return self.constant(np.float32(value))

    def part(self, shape: str, place: int) -> str:
        """One of the sizes of a shape, a scalar."""
        return self.node("Gather", shape, self.constant(np.int64(place)), axis=0)

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}_{self._count}"
