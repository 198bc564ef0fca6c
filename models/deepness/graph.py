"""The single-task graph that Deepness and GeoDeep run: NCHW float32 from 0 to 1 in, tiles of one size, one output.

Both divide 8-bit values by 255; the graph multiplies them again and hands them to the version's own graph, which
normalises them itself. What they pad with 0 is black to it, not nodata.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

from models.card import ModelCard
from models.deepness.metadata import metadata_props
from models.tasks import Task
from models.tasks.detection.boxes import ANSWERED_CLASS, SCORE

FULL = 255.0
"""What both divide by."""
_INPUT, _OUTPUT = "image", "output"
_OWN = "al_loop_"
"""Before every name of the version's own graph."""


def single_task_graph(model: bytes, card: ModelCard, task: Task) -> bytes:
    """The ONNX file for one task.

    Input `image` (batch, C, tile, tile): the version's bands in its order; where it reads all bands of its files, in
    theirs. Output of a task of pixels: probabilities (batch, K + 1, tile, tile), background first. Of
    boxes: (batch, 4 + K, M) as YOLOv9 has them: centre, width and height in pixels, and a score of each class.

    Args:
        model: The version's ONNX file.
        card: Its card.
        task: See `task_for_gis`.
    """
    own = compose.add_prefix(onnx.load_from_string(model), _OWN)
    front = _front(card, own)
    merged = compose.merge_models(
        front, own, io_map=[(f"{_INPUT}_raw", f"{_OWN}{_INPUT}")], outputs=[f"{_OWN}{task.name}"]
    )
    nodes, tensors = _back(task) if task.finds_objects else ([_node("Identity", [f"{_OWN}{task.name}"], [_OUTPUT])], [])
    graph = merged.graph
    graph.node.extend(nodes)
    graph.initializer.extend(tensors)
    del graph.output[:]
    tile, classes = card.tile_px, len(task.classes)
    shape: list[int | str] = (
        ["batch", 4 + classes, "boxes"] if task.finds_objects else ["batch", task.outputs, tile, tile]
    )
    graph.output.append(helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, shape))
    del merged.metadata_props[:]
    helper.set_model_props(merged, metadata_props(card, task))
    onnx.checker.check_model(merged)
    return bytes(merged.SerializeToString())


def metadata_part(card: ModelCard, task: Task) -> bytes:
    """What makes an ONNX file carry the metadata when it is appended: parts of a protocol buffer are joined."""
    part = ModelProto()
    helper.set_model_props(part, metadata_props(card, task))
    return bytes(part.SerializeToString())


def _front(card: ModelCard, own: ModelProto) -> ModelProto:
    """From 0..1 to stored values, and from the order of the file to that of the model."""
    count, order = len(card.bands), list(card.bands)
    constants: dict[str, NDArray[Any]] = {"full": np.array(FULL, np.float32)}
    nodes = [_node("Mul", [_INPUT, "full"], ["scaled"])]
    if sorted(order) == list(range(1, card.source_bands + 1)):
        constants["order"] = np.array(order, np.int64) - 1
        nodes.append(_node("Gather", ["scaled", "order"], [f"{_INPUT}_raw"], axis=1))
    else:
        nodes.append(_node("Identity", ["scaled"], [f"{_INPUT}_raw"]))
    tile = card.tile_px
    graph = helper.make_graph(
        nodes, "al-loop",
        [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, ["batch", count, tile, tile])],
        [helper.make_tensor_value_info(f"{_INPUT}_raw", TensorProto.FLOAT, ["batch", count, tile, tile])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=list(own.opset_import), ir_version=own.ir_version)


def _back(task: Task) -> tuple[list[NodeProto], list[TensorProto]]:
    """From rows (left, top, right, bottom, score, class) to those of YOLOv9, transposed."""
    numbers = {
        "first_sides": [0, 1], "last_sides": [2, 3], "score_column": [SCORE], "class_column": [ANSWERED_CLASS],
    }  # fmt: skip
    constants: dict[str, NDArray[Any]] = {name: np.array(columns, np.int64) for name, columns in numbers.items()}
    constants |= {
        "half": np.array(0.5, np.float32), "classes": np.arange(len(task.classes), dtype=np.float32),
    }  # fmt: skip
    rows = f"{_OWN}{task.name}"
    nodes = [
        *(_node("Gather", [rows, name], [f"{name}_of"], axis=2) for name in numbers),
        _node("Add", ["first_sides_of", "last_sides_of"], ["sums"]),
        _node("Mul", ["sums", "half"], ["centres"]),
        _node("Sub", ["last_sides_of", "first_sides_of"], ["sizes"]),
        _node("Equal", ["class_column_of", "classes"], ["is_class"]),
        _node("Cast", ["is_class"], ["one_hot"], to=TensorProto.FLOAT),
        _node("Mul", ["one_hot", "score_column_of"], ["scores"]),
        _node("Concat", ["centres", "sizes", "scores"], ["joined"], axis=2),
        _node("Transpose", ["joined"], [_OUTPUT], perm=[0, 2, 1]),
    ]
    return nodes, [numpy_helper.from_array(value, name) for name, value in constants.items()]


def _node(kind: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> NodeProto:  # noqa: ANN401  # as ONNX has them
    return helper.make_node(kind, inputs, outputs, **attributes)
