"""Small graphs as others export them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
CARD: dict[str, Any] = {
    "task": "segmentation", "bands": [4, 3, 2], "scale": 4000, "clip": [0, 1], "output": {"classes": ["water"]},
}  # fmt: skip
"""Of `mask_graph`, as the tutorials read their images."""


def saved(
    path: Path,
    nodes: Sequence[NodeProto],
    taken: Sequence[object],
    given: Sequence[object],
    weights: dict[str, NDArray[Any]],
    *,
    opset: int = 17,
    kind: int = FLOAT,
    domains: Sequence[str] = (),
    names: tuple[str, str] = ("x", "y"),
) -> Path:
    """Write a graph with one input and one output of the given shapes."""
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(
        nodes, "theirs", [helper.make_tensor_value_info(names[0], kind, taken)],
        [helper.make_tensor_value_info(names[1], kind, given)], constants,
    )  # fmt: skip
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in domains)]
    model: ModelProto = helper.make_model(graph, opset_imports=imports, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def mask_graph(
    path: Path,
    *,
    opset: int = 17,
    batch: object = "n",
    side: int | None = None,
    kind: int = FLOAT,
    last: str = "Sigmoid",
) -> Path:
    """A mask of one channel: the sigmoid of the first band that the model takes."""
    size: list[object] = ["h", "w"] if side is None else [side, side]
    kernel = np.array([1, 0, 0], np.float16 if kind == HALF else np.float32).reshape(1, 3, 1, 1)
    nodes = [helper.make_node("Conv", ["x", "kernel"], ["sums"]), helper.make_node(last, ["sums"], ["y"])]
    return saved(path, nodes, [batch, 3, *size], [batch, 1, *size], {"kernel": kernel}, opset=opset, kind=kind)


def mean_graph(path: Path, *, bands: int = 3, last: str = "Softmax", baked: bool = False, scale: float = 1.0) -> Path:
    """Two classes: how far the mean over bands and pixels lies above .425, and its opposite."""
    kernel = np.full((bands, 2), scale / bands, np.float32) * np.array([-1, 1], np.float32)
    offset = np.array([1, -1], np.float32) * np.float32(0.425 * scale)
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["pooled"])]
    if baked:
        shape = {"shape": np.array([1, bands], np.int64)}
        nodes.append(helper.make_node("Reshape", ["pooled", "shape"], ["flat"]))
    else:
        shape = {}
        nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes += [
        helper.make_node("Gemm", ["flat", "kernel", "offset"], ["scores"]),
        helper.make_node(last, ["scores"], ["y"]),
    ]
    weights = {"kernel": kernel, "offset": offset, **shape}
    return saved(path, nodes, ["n", bands, "h", "w"], ["n", 2], weights)


def box_graph(
    path: Path, tables: dict[str, NDArray[Any]], *, opset: int = 17, taken: Sequence[object] = ("n", 3, "h", "w")
) -> Path:
    """A detector that answers the same boxes to every image: an output for each table, its rows free."""
    nodes, outputs = [], []
    axes = {"axes": list(range(len(taken)))} if opset < 18 else {}
    nodes.append(helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0, **axes))
    nodes.append(helper.make_node("Mul", ["most", "nothing"], ["zero"]))
    for name, table in tables.items():
        kind = helper.np_dtype_to_tensor_dtype(table.dtype)
        nodes += [
            helper.make_node("Cast", ["zero"], [f"zero_{name}"], to=kind),
            helper.make_node("Add", [f"table_{name}", f"zero_{name}"], [name]),
        ]
        free = ["rows" if size in (0, len(table)) and place == 0 else size for place, size in enumerate(table.shape)]
        outputs.append(helper.make_tensor_value_info(name, kind, free))
    constants = [numpy_helper.from_array(table, f"table_{name}") for name, table in tables.items()]
    constants.append(numpy_helper.from_array(np.array(0, np.float32), "nothing"))
    graph = helper.make_graph(
        nodes, "theirs", [helper.make_tensor_value_info("x", FLOAT, taken)], outputs, constants
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path
