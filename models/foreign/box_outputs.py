"""Which outputs of a detector hold its boxes, and in which of the usual forms."""

from collections.abc import Mapping

import onnx

from models.errors import ForeignModelError
from models.foreign.declaration import BOX_MEANINGS, DeclaredOutput, Meaning

NAMES = ("boxes", "scores", "labels")
"""Of three outputs, as torchvision's documentation names them."""
LEAST_OPSET = 11
"""The first whose operators can suppress boxes that overlap."""


def box_outputs(
    outputs: Mapping[str, onnx.ValueInfoProto], declared: DeclaredOutput, opset: int
) -> tuple[Meaning, list[str]]:
    """Form of the boxes, and the outputs that hold them: one, or those of sides, scores and classes.

    Args:
        outputs: Of the graph, by name.
        declared: What the card says.
        opset: Of the graph.

    Raises:
        ForeignModelError: It cannot be seen, or does not fit what the card says.
    """
    if opset < LEAST_OPSET:
        raise ForeignModelError(f"opset {opset} is not taken of a detector; export with {LEAST_OPSET} or a later one")
    meaning = declared.meaning
    if meaning is not None and meaning not in BOX_MEANINGS:
        raise ForeignModelError(
            f"{meaning!r} is no form of boxes; `output.meaning` is one of {', '.join(BOX_MEANINGS)}"
        )
    wanted = [declared.name or NAMES[0], declared.scores or NAMES[1], declared.labels or NAMES[2]]
    if meaning == "boxes" or (meaning is None and all(name in outputs for name in wanted)):
        lacking = [name for name in wanted if name not in outputs]
        if lacking:
            raise ForeignModelError(
                f"the model has no output {lacking[0]!r}, but {', '.join(outputs)}; say `output.name` (sides of the "
                "boxes), `output.scores` and `output.labels` in the card"
            )
        return "boxes", wanted
    if declared.name is None and len(outputs) != 1:
        raise ForeignModelError(
            f"the model has the outputs {', '.join(outputs)}; say `output.name` in the card, and `output.scores` and "
            "`output.labels` if the boxes have three of them"
        )
    name = declared.name or next(iter(outputs))
    if name not in outputs:
        raise ForeignModelError(f"the model has no output {name!r}; it has {', '.join(outputs)}")
    return _form(name, _sizes(outputs[name]), meaning, len(declared.classes)), [name]


def _form(name: str, sizes: list[int | None], meaning: Meaning | None, classes: int) -> Meaning:
    """The form of one output whose shape is (1, `sizes`)."""
    if len(sizes) != 2:
        raise ForeignModelError(f"the output {name!r} has {len(sizes) + 1} dimensions; boxes in one output have three")
    rows, columns = sizes
    fitting: dict[Meaning, tuple[int | None, int]] = {
        "box_rows": (columns, 6), "yolo": (rows, 4 + classes), "yolo_objectness": (columns, 5 + classes)
    }  # fmt: skip
    if meaning is None:
        possible = [form for form, (size, needed) in fitting.items() if size == needed]
        if len(possible) != 1:
            raise ForeignModelError(
                f"in which form the output {name!r}, of {rows or 'any'} x {columns or 'any'} values for {classes} "
                f"classes, has its boxes cannot be seen; say `output.meaning` in the card: {', '.join(fitting)}"
            )
        return possible[0]
    size, needed = fitting[meaning]
    if size not in (None, needed):
        hint = (
            "" if meaning == "box_rows" else "; `output.classes` has an entry for each class, null for those not asked"
        )
        raise ForeignModelError(
            f"the output {name!r} has {size} values a box, where {meaning!r} of {classes} classes has {needed}{hint}"
        )
    return meaning


def _sizes(entry: onnx.ValueInfoProto) -> list[int | None]:
    """But for the first; None: free."""
    dims = list(entry.type.tensor_type.shape.dim)[1:]
    return [dim.dim_value if dim.dim_value > 0 else None for dim in dims]
