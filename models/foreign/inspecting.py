"""Looks at an ONNX file from elsewhere without running it, and refuses what a service must not run."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import TensorProto

from models.card import TaskSpec
from models.errors import ForeignModelError
from models.foreign.box_outputs import box_outputs
from models.foreign.declaration import BOX_MEANINGS, ForeignCard, Layout, Meaning
from models.tasks import task_of

MOST_BYTES = 2**31 - 1
"""Of a file: protobuf takes no more, and nor do uploads."""
MOST_DEPTH = 100
"""Of functions that call functions."""
OPSETS = range(9, 27)
"""Versions of ONNX's operators that are taken; ONNX Runtime has the last word."""
STANDARD = ("", "ai.onnx")
WITHOUT_END = ("Loop", "Scan")
"""Operators that may run for any time, depending on their input."""
MOST_NODES = 2**18
"""Once functions are put in place of their calls: each that calls the next twice doubles them."""
MOST_VALUES = 2**28
"""Of one constant or one declared shape: a GiB of float32."""
DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
    TensorProto.UINT8: "uint8",
    TensorProto.UINT16: "uint16",
}
LAST_STEPS: dict[str, Meaning] = {"Softmax": "probabilities", "Sigmoid": "sigmoid", "ArgMax": "codes"}


class Inspected(NamedTuple):
    """What a graph takes and answers."""

    model: onnx.ModelProto
    opset: int
    input: str
    dtype: int
    """Of the input, as `TensorProto` numbers them."""
    layout: Layout
    bands: int
    side: int | None
    """Height and width of the input; None: free."""
    batch: int | None
    """Images of a run; None: free."""
    output: str
    """Of boxes in three outputs, that of their sides."""
    meaning: Meaning
    further: tuple[str, ...] = ()
    """The outputs of scores and labels of such boxes."""
    unbatched: bool = False
    """The input is one image, without a dimension for many."""

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        size = "any size" if self.side is None else f"{self.side} x {self.side} px"
        batch = "any number of images" if self.batch is None else f"{self.batch} image at a time"
        return (
            f"opset {self.opset}; input {self.input!r}, {DTYPES[self.dtype]}, {self.layout.upper()}, {self.bands} bands"
            f", {size}, {batch}; output {self.output!r}: {self.meaning}"
        )


def inspect(file: Path, card: ForeignCard) -> Inspected:
    """Read a file and find its input and output; what the graph leaves open, the card has to say.

    Raises:
        ForeignModelError: It cannot be taken, with the reason and what to do.
    """
    if file.stat().st_size > MOST_BYTES:
        raise ForeignModelError("the file is larger than 2 GB; models of that size are not taken")
    try:
        model = onnx.load_model_from_string(file.read_bytes())
        functions = bool(model.functions)
        _check_tensors(model)
        _check_functions(model)
        model = onnx.inliner.inline_local_functions(model) if functions else model
        _check_operators(model)
        onnx.checker.check_model(model)
    except ForeignModelError:
        raise
    except (DecodeError, onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        said = str(error).strip().splitlines()
        raise ForeignModelError(
            f"the file is no valid ONNX model: {said[0] if said else type(error).__name__}"
        ) from error
    opset = next((entry.version for entry in model.opset_import if entry.domain in STANDARD), 0)
    if opset not in OPSETS:
        raise ForeignModelError(f"opset {opset} is not taken; export with one of {OPSETS[0]} to {OPSETS[-1]}")
    return _described(model, opset, card)


def _described(model: onnx.ModelProto, opset: int, card: ForeignCard) -> Inspected:
    weights = {entry.name for entry in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(entry.name for entry in inputs) or "none"
        raise ForeignModelError(f"the model has to take one input, an image; this one takes {names}")
    entry = inputs[0]
    kind, dims = entry.type.tensor_type.elem_type, _dims(entry)
    if kind not in DTYPES:
        raise ForeignModelError(
            f"the input {entry.name!r} is of type {TensorProto.DataType.Name(kind)}, which is not taken"
        )
    finds = task_of(TaskSpec(task=card.task, classes=["any"])).finds_objects
    unbatched = finds and dims is not None and len(dims) == 3  # as torchvision's detectors take their images
    if dims is not None and unbatched:
        dims = [1, *dims]
    if dims is None or len(dims) != 4:
        raise ForeignModelError(f"the input {entry.name!r} has the shape {dims}; images have four dimensions")
    layout = _layout(entry.name, dims, card)
    batch, (bands, height, width) = dims[0], (dims[1:] if layout == "nchw" else (dims[3], dims[1], dims[2]))
    if bands is None:
        if card.bands is None:
            raise ForeignModelError("the model leaves the number of bands open; say `bands` in the card")
        bands = len(card.bands)
    if (height is None) != (width is None) or height != width:
        raise ForeignModelError(
            f"the input is {height or 'any'} x {width or 'any'} px; sizes have to be free, or one square"
        )
    if height is not None and not 8 <= height <= 4096:
        raise ForeignModelError(f"the input is {height} x {height} px; from 8 to 4096 px are taken")
    if batch not in (None, 1):
        raise ForeignModelError(f"the model takes {batch} images at a time; export it with a free batch, or one of 1")
    if finds:  # run image by image, as each has a number of boxes of its own
        outputs = {output.name: output for output in model.graph.output}
        form, (output_name, *further) = box_outputs(outputs, card.output, opset)
        return Inspected(
            model, opset, entry.name, kind, layout, bands, height, 1, output_name, form, tuple(further), unbatched
        )
    name = _output(model, card)
    return Inspected(model, opset, entry.name, kind, layout, bands, height, batch, name, _meaning(model, name, card))


def _layout(name: str, dims: list[int | None], card: ForeignCard) -> Layout:
    if card.layout is not None:
        return card.layout
    count = None if card.bands is None else len(card.bands)
    first, last = dims[1], dims[3]
    fits_first = first is not None and (count is None or first == count or last is None) and first <= 64
    fits_last = last is not None and (count is None or last == count or first is None) and last <= 64
    if fits_first == fits_last:
        if fits_first and count is None and first != last and min(first or 0, last or 0) > 0:
            return "nchw" if (first or 0) < (last or 0) else "nhwc"
        raise ForeignModelError(
            f"where the bands are in the input {name!r}, {dims}, cannot be seen; say `layout` in the card"
        )
    return "nchw" if fits_first else "nhwc"


def _output(model: onnx.ModelProto, card: ForeignCard) -> str:
    found = [entry.name for entry in model.graph.output]
    if card.output.name is None and len(found) != 1:
        raise ForeignModelError(f"the model has the outputs {', '.join(found)}; say `output.name` in the card")
    name = card.output.name or found[0]
    if name not in found:
        raise ForeignModelError(f"the model has no output {name!r}; it has {', '.join(found)}")
    return name


def _meaning(model: onnx.ModelProto, output: str, card: ForeignCard) -> Meaning:
    if card.output.meaning in BOX_MEANINGS:
        raise ForeignModelError(f"`output.meaning` says {card.output.meaning}, which no model of {card.task} answers")
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    meaning = card.output.meaning or LAST_STEPS.get(made_by.get(output, ""))
    if meaning is None:
        raise ForeignModelError(
            f"what the output {output!r} means cannot be seen (it comes from {made_by.get(output)}); say "
            "`output.meaning` in the card: probabilities, logits, sigmoid, sigmoid_logits or codes"
        )
    return meaning


def _dims(entry: onnx.ValueInfoProto) -> list[int | None] | None:
    kind = entry.type.tensor_type
    if not kind.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in kind.shape.dim]


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)
            for inner in attribute.graphs:
                yield from _graphs(inner)


def _check_operators(model: onnx.ModelProto) -> None:
    nodes = [node for graph in _graphs(model.graph) for node in graph.node]
    foreign = sorted({f"{node.domain}:{node.op_type}" for node in nodes if node.domain not in STANDARD})
    if foreign:
        raise ForeignModelError(
            f"custom operators are not run: {', '.join(foreign[:5])}; export with operators of ONNX only"
        )
    endless = sorted({node.op_type for node in nodes} & set(WITHOUT_END))
    if endless:
        raise ForeignModelError(
            f"the graph has {' and '.join(endless)}, which may run without end; "
            "export without loops, such as by unrolling them"
        )


def _tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    inner = [node for function in model.functions for node in function.node]
    nodes = [node for graph in _graphs(model.graph) for node in graph.node] + inner
    for graph in _graphs(model.graph):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield sparse.values
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_functions(model: onnx.ModelProto) -> None:
    """Refuse functions that would grow beyond all bounds when they are put in place of their calls."""
    bodies = {(entry.domain, entry.name): entry.node for entry in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Iterable[onnx.NodeProto], callers: frozenset[tuple[str, str]]) -> int:
        if len(callers) > MOST_DEPTH:
            raise ForeignModelError(f"its functions call each other more than {MOST_DEPTH} deep")
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in callers:
                raise ForeignModelError(f"the function {node.op_type!r} calls itself")
            if key in bodies and key not in sizes:
                sizes[key] = size(bodies[key], callers | {key})
            inner = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs) if graph.node]
            total += sizes.get(key, 1) + sum(size(graph.node, callers) for graph in inner)
        if total > MOST_NODES:
            raise ForeignModelError(f"the graph has {total:,} operators with its functions; {MOST_NODES:,} are taken")
        return total

    size(model.graph.node, frozenset())


def _check_tensors(model: onnx.ModelProto) -> None:
    """Refuse weights in other files, and constants that claim to be huge."""
    for tensor in _tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            facts = {entry.key: entry.value for entry in tensor.external_data}
            place = facts.get("location", "")
            if Path(place).is_absolute() or ".." in Path(place).parts:
                raise ForeignModelError(
                    f"the weights of {tensor.name!r} lie outside the model's folder, at {place!r}: refused"
                )
            raise ForeignModelError(
                f"the weights lie in another file, {place!r}; put them into one, up to 2 GB: "
                "onnx.save(onnx.load(FILE), OUT)"
            )
        values = 1
        for size in tensor.dims:
            values *= max(size, 0)
        if values > MOST_VALUES:
            raise ForeignModelError(
                f"the constant {tensor.name!r} has {values:,} values; at most {MOST_VALUES:,} are taken"
            )
