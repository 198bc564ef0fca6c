"""Puts a graph from elsewhere between our input and outputs: it is served, scored and measured as our models are.

In front: invalid pixels, choice of bands, scaling, layout, type. Behind: the meaning of the output. All of it is made
of operators that have one form from opset 9 on.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, compose, helper

from models.card import TaskSpec
from models.errors import ForeignModelError
from models.foreign.boxes import MOST_BOXES, answered_boxes
from models.foreign.declaration import ForeignCard
from models.foreign.inspecting import Inspected
from models.foreign.parts import PREFIX, GraphParts
from models.tasks import task_of

NO_CODE = -1
"""That no pixel has."""


class Wrapped(NamedTuple):
    """A graph with our input and outputs."""

    model: onnx.ModelProto
    spec: TaskSpec
    """What it answers: the campaign's classes; those that it does not know with probability 0."""
    embedding_size: int
    notices: list[str]
    """What is otherwise than the campaign asks, for people."""


def wrap(found: Inspected, card: ForeignCard, asked: TaskSpec, bands: Sequence[int]) -> Wrapped:
    """Build the graph.

    Args:
        found: The foreign graph.
        card: What is said about it.
        asked: The campaign's task.
        bands: Bands of the files that the campaign's models read, from 1, in the order of our input.

    Raises:
        ForeignModelError: Bands, classes or values do not fit together.
    """
    task = task_of(asked)
    chosen = _bands(found, card, bands)
    known = [name for name in asked.classes if name in card.output.classes]
    unknown = [name for name in card.output.classes if name is not None and name not in asked.classes]
    missing = [name for name in asked.classes if name not in known]
    if not known:
        raise ForeignModelError(
            f"none of its classes is one of the campaign's ({', '.join(asked.classes)}); name them alike in "
            "`output.classes`"
        )
    notices = [f"it does not know {', '.join(missing)}"] if missing else []
    notices += [f"it answers {', '.join(unknown)}, too, which the campaign does not ask for"] if unknown else []
    parts = GraphParts(found.opset)
    image = _before(parts, found, card, chosen)
    places = [card.output.classes.index(name) if name in known else None for name in asked.classes]
    if task.finds_objects:
        numbers = [asked.classes.index(name) if name in known else None for name in card.output.classes]
        answered_boxes(parts, found, numbers, asked.task)
    elif task.per_pixel:
        _pixels(parts, parts.answer(found.output), found, asked, places, len(card.output.classes))
    else:
        _classes(parts, parts.answer(found.output), found, card, asked, places)
    return Wrapped(_joined(parts, found, image, asked, len(bands)), asked, 2 * len(bands), notices)


def _bands(found: Inspected, card: ForeignCard, bands: Sequence[int]) -> list[int]:
    """Places in our input of the bands that the model takes."""
    wanted = list(bands) if card.bands is None else card.bands
    if len(wanted) != found.bands:
        who = "the campaign reads" if card.bands is None else "the card names"
        raise ForeignModelError(
            f"the model takes {found.bands} bands, and {who} {len(wanted)}; say `bands` in the card"
        )
    lacking = [band for band in wanted if band not in bands]
    if lacking:
        raise ForeignModelError(
            f"the model takes band {lacking[0]}, but the campaign's models read bands {', '.join(map(str, bands))} only"
        )
    for name, values in (("mean", card.mean), ("std", card.std)):
        if values is not None and len(values) not in (1, len(wanted)):
            raise ForeignModelError(f"the card's `{name}` has {len(values)} values for {len(wanted)} bands")
    return [list(bands).index(band) for band in wanted]


def _before(parts: GraphParts, found: Inspected, card: ForeignCard, chosen: list[int]) -> str:
    """From our input to the foreign one; leaves the embedding, too."""
    invalid = parts.op("IsNaN", ["image"])
    filled = parts.op("Where", [invalid, parts.number(0), "image"])
    scaled_all = parts.op("Div", [filled, parts.number(card.scale)])
    mean = parts.reduce("ReduceMean", scaled_all, [2, 3])
    apart = parts.op("Sub", [scaled_all, mean])
    spread = parts.reduce("ReduceMean", parts.op("Mul", [apart, apart]), [2, 3])
    both = parts.op("Concat", [mean, parts.op("Sqrt", [spread])], axis=1)
    parts.op("Flatten", [both], "embedding", axis=1)
    value = parts.channels(scaled_all, chosen)
    if card.clip is not None:
        value = parts.op("Max", [value, parts.number(card.clip[0])])
        value = parts.op("Min", [value, parts.number(card.clip[1])])
    for kind, values in (("Sub", card.mean), ("Div", card.std)):
        if values is not None:
            value = parts.op(kind, [value, parts.constant(np.array(values, np.float32).reshape(1, -1, 1, 1))])
    if found.layout == "nhwc":
        value = parts.op("Transpose", [value], perm=[0, 2, 3, 1])
    if found.unbatched:
        value = parts.op("Gather", [value, parts.constant(np.array(0, np.int64))], axis=0)
    if found.dtype != TensorProto.FLOAT:
        value = parts.op("Cast", [value], to=found.dtype)
    return value


def _classes(
    parts: GraphParts, answer: str, found: Inspected, card: ForeignCard, asked: TaskSpec, places: list[int | None]
) -> None:
    """Probabilities of the classes, (N, K)."""
    if found.meaning == "codes":
        raise ForeignModelError(
            "a model that answers the number of a class has no probabilities; export it without ArgMax"
        )
    value = parts.op("Flatten", [answer], axis=1)
    value = _probabilities(parts, value, found)
    if len(card.output.classes) == 2 and found.meaning in ("sigmoid", "sigmoid_logits") and _width(found) == 1:
        value = parts.op("Concat", [parts.one_minus(value), value], axis=1)
    if places != list(range(len(card.output.classes))):
        value = parts.known_channels(value, places, len(card.output.classes))
        if not asked.multi_label:
            total = parts.op("Max", [parts.reduce("ReduceSum", value, [1]), parts.number(1e-9)])
            value = parts.op("Div", [value, total])
    parts.op("Identity", [value], asked.task)


def _pixels(
    parts: GraphParts, answer: str, found: Inspected, asked: TaskSpec, places: list[int | None], count: int
) -> None:
    """Probabilities of background and the classes, (N, 1 + K, H, W)."""
    if found.meaning == "codes":
        codes = _with_channel(parts, answer, found)
        masks = [
            parts.op("Cast", [parts.op("Not", [_differs(parts, codes, place)])], to=TensorProto.FLOAT)
            for place in (NO_CODE if place is None else place for place in places)
        ]
        known = parts.op("Concat", masks, axis=1) if len(masks) > 1 else masks[0]
    else:
        if found.layout == "nhwc":
            answer = parts.op("Transpose", [answer], perm=[0, 3, 1, 2])
        known = parts.known_channels(_probabilities(parts, answer, found), places, count)
    total = parts.reduce("ReduceSum", known, [1])
    if found.meaning in ("sigmoid", "sigmoid_logits"):
        background = parts.one_minus(parts.reduce("ReduceMax", known, [1]))
        all_classes = parts.op("Concat", [background, known], axis=1)
        value = parts.op("Div", [all_classes, parts.reduce("ReduceSum", all_classes, [1])])
    else:
        background = parts.op("Max", [parts.one_minus(total), parts.number(0)])
        value = parts.op("Concat", [background, known], axis=1)
    parts.op("Identity", [value], asked.task)


def _with_channel(parts: GraphParts, codes: str, found: Inspected) -> str:
    """Codes as (N, 1, H, W), whether the model answers (N, H, W), (N, 1, H, W) or (N, H, W, 1)."""
    entry = next(entry for entry in found.model.graph.output if entry.name == found.output)
    rank = len(entry.type.tensor_type.shape.dim)
    if rank == 4:
        return parts.op("Transpose", [codes], perm=[0, 3, 1, 2]) if found.layout == "nhwc" else codes
    if rank != 3:
        raise ForeignModelError(f"the output {found.output!r} has {rank} dimensions; codes have three or four")
    if found.opset >= 13:
        return parts.op("Unsqueeze", [codes, parts.constant(np.array([1], np.int64))])
    return parts.op("Unsqueeze", [codes], axes=[1])


def _differs(parts: GraphParts, codes: str, place: int) -> str:
    """Where (N, 1, H, W) codes are not a number; `Equal` takes no floats before opset 11."""
    away = parts.op("Abs", [parts.op("Sub", [codes, parts.number(place)])])
    return parts.op("Greater", [away, parts.number(0.5)])


def _probabilities(parts: GraphParts, value: str, found: Inspected) -> str:
    if found.meaning == "logits":
        return parts.softmax(value)
    return parts.op("Sigmoid", [value]) if found.meaning == "sigmoid_logits" else value


def _width(found: Inspected) -> int | None:
    """Channels of the output, if the graph says."""
    entry = next(entry for entry in found.model.graph.output if entry.name == found.output)
    dims = entry.type.tensor_type.shape.dim
    place = 1 if found.layout == "nchw" or len(dims) < 4 else 3
    return int(dims[place].dim_value) if len(dims) > place and dims[place].HasField("dim_value") else None


def _joined(parts: GraphParts, found: Inspected, image: str, spec: TaskSpec, bands: int) -> onnx.ModelProto:
    inner = compose.add_prefix(found.model, PREFIX)
    split = next(i for i, node in enumerate(parts.nodes) if any(name.startswith(PREFIX) for name in node.input))
    rename = helper.make_node("Identity", [image], [PREFIX + found.input])
    nodes = [*parts.nodes[:split], rename, *inner.graph.node, *parts.nodes[split:]]
    batch = "n" if found.batch is None else found.batch
    size = ["h", "w"] if found.side is None else [found.side, found.side]
    entry = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, bands, *size])
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [batch, 2 * bands])]
    shape = [batch, 1 + len(spec.classes), *size] if task_of(spec).per_pixel else [batch, len(spec.classes)]
    if task_of(spec).finds_objects:
        shape = [batch, MOST_BOXES, 6]
    outputs.append(helper.make_tensor_value_info(spec.task, TensorProto.FLOAT, shape))
    graph = helper.make_graph(nodes, "added", [entry], outputs, [*parts.constants, *inner.graph.initializer])
    graph.sparse_initializer.extend(inner.graph.sparse_initializer)
    model = helper.make_model(
        graph, opset_imports=list(found.model.opset_import), ir_version=max(4, found.model.ir_version)
    )
    onnx.checker.check_model(model)
    return model
