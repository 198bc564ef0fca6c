"""`outline.outlined` as ONNX nodes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from models.tasks.detection.network.nodes import Nodes
from models.tasks.detection.network.outline import (
    FREE,
    HALF,
    LARGEST,
    LEAST_CONTRAST,
    RADIUS,
    REFINED,
    SAME,
    SEED_RANGE,
    SEEDS,
    SHARED,
    SIDE,
    SOFTNESS,
)

_PIXELS = SIDE * SIDE


def outline_nodes(to: Nodes, contrast: str, corners: Sequence[str], growth: NDArray[np.float32]) -> list[str]:
    """Add the nodes.

    Args:
        to: Adds them.
        contrast: Name of the mixture of bands, (N, 1, H, W).
        corners: Names of the upper left and lower right corners of boxes by the head, (N, 2, M) each, the likeliest
            box first.
        growth: Of outlines, (1,).

    Returns:
        Names of such corners, of which the first `REFINED` boxes have those that their pixels show.
    """
    ends = [to.numbers([value]) for value in (0, REFINED, 2**31 - 1)]
    axis = to.numbers([2])
    first = [to.node("Slice", corner, ends[0], ends[1], axis) for corner in corners]
    others = [to.node("Slice", corner, ends[1], ends[2], axis) for corner in corners]
    middle = to.node("Div", to.node("Add", *first), to.number(2))
    found_middle, found_size = _flooded(to, contrast, middle)
    half = to.node("Mul", found_size, to.constant((growth / 2).astype(np.float32)))
    found = [to.node(kind, found_middle, half) for kind in ("Sub", "Add")]
    area = to.node("ReduceProd", to.node("Sub", first[1], first[0]), to.numbers([1]), keepdims=1)
    share = to.node("Sub", to.number(LARGEST), to.node("Sqrt", area))
    share = to.node("Clip", to.node("Div", share, to.number(SHARED)), to.number(0), to.number(1))
    results = []
    for before, after, rest in zip(first, found, others, strict=True):
        moved = to.node("Add", before, to.node("Mul", share, to.node("Sub", after, before)))
        results.append(to.node("Concat", moved, rest, axis=2))
    return results


def once_each_nodes(to: Nodes, corners: Sequence[str], scores: str, label: str) -> str:
    """Add the nodes of `outline.once_each` for the first `REFINED` boxes.

    Args:
        to: Adds them.
        corners: As `outline_nodes` returns them.
        scores: Name of the scores (N, M).
        label: Name of the classes (N, M), int64.

    Returns:
        Name of the scores (N, M).
    """
    start, stop, end = (to.numbers([value]) for value in (0, REFINED, 2**31 - 1))
    low, high = (to.node("Slice", corner, start, stop, to.numbers([2])) for corner in corners)
    first, kind = (to.node("Slice", value, start, stop, to.numbers([1])) for value in (scores, label))
    one, other = to.numbers([3]), to.numbers([2])
    lower = to.node("Max", to.node("Unsqueeze", low, one), to.node("Unsqueeze", low, other))
    upper = to.node("Min", to.node("Unsqueeze", high, one), to.node("Unsqueeze", high, other))
    sides = to.node("Max", to.node("Sub", upper, lower), to.number(0))  # (N, 2, M, M)
    shared = to.node("ReduceProd", sides, to.numbers([1]), keepdims=0)
    area = to.node("ReduceProd", to.node("Sub", high, low), to.numbers([1]), keepdims=0)
    rows, columns = (to.node("Unsqueeze", area, axis) for axis in (other, to.numbers([1])))
    both = to.node("Max", to.node("Sub", to.node("Add", rows, columns), shared), to.number(LEAST_CONTRAST))
    rows, columns = (to.node("Unsqueeze", kind, axis) for axis in (other, to.numbers([1])))
    alike = to.node("Cast", to.node("Equal", rows, columns), to=TensorProto.FLOAT)
    likelier = to.constant(np.tril(np.ones((REFINED, REFINED), np.float32), -1))
    overlap = to.node("Mul", to.node("Mul", to.node("Div", shared, both), alike), likelier)
    most = to.node("ReduceMax", overlap, to.numbers([2]), keepdims=0)
    share = to.node("Div", to.node("Sub", to.number(SAME), most), to.number(SAME - FREE))
    likely = to.node("Mul", first, to.node("Clip", share, to.number(0), to.number(1)))
    return to.node("Concat", likely, to.node("Slice", scores, stop, end, to.numbers([1])), axis=1)


def _flooded(to: Nodes, contrast: str, middle: str) -> tuple[str, str]:
    """Middles and sizes (N, 2, M)."""
    shape = to.node("Shape", contrast)
    height, width = to.part(shape, 2), to.part(shape, 3)
    size = to.node("Concat", *(to.node("Unsqueeze", part, to.numbers([0])) for part in (width, height)), axis=0)
    most = to.node("Cast", to.node("Sub", size, to.numbers([1])), to=TensorProto.FLOAT)
    most = to.node("Unsqueeze", most, to.numbers([1]))  # (2, 1)
    corner = to.node("Min", to.node("Max", to.node("Floor", middle), to.number(0)), most)
    padded = to.node("Pad", contrast, to.numbers([0, 0, RADIUS, RADIUS] * 2), mode="edge")
    row_length = to.node("Add", width, to.constant(np.int64(2 * RADIUS)))
    whole = to.node("Cast", corner, to=TensorProto.INT64)
    column, row = (to.node("Gather", whole, to.constant(np.int64(place)), axis=1) for place in (0, 1))  # (N, M)
    start = to.node("Add", to.node("Mul", row, row_length), column)
    rows, columns = np.divmod(np.arange(_PIXELS), SIDE)
    window = to.node("Mul", to.constant(rows.astype(np.int64)), row_length)
    window = to.node("Add", window, to.constant(columns.astype(np.int64)))
    index = to.node("Add", to.node("Unsqueeze", start, to.numbers([2])), window)
    index = to.node("Reshape", index, to.numbers([0, -1]))
    flat = to.node("GatherElements", to.node("Reshape", padded, to.numbers([0, -1])), index, axis=1)
    upper, _ = to.nodes(
        "TopK", [to.node("Reshape", flat, to.numbers([-1, _PIXELS])), to.numbers([_PIXELS // 2 + 1])], 2
    )
    around = to.node("ReduceMin", upper, to.numbers([1]), keepdims=1)
    around = to.node("Reshape", around, to.numbers([-1, 1, 1, 1]))
    above = to.node("Sub", to.node("Reshape", flat, to.numbers([-1, 1, SIDE, SIDE])), around)
    inner = slice(RADIUS - SEEDS, RADIUS + SEEDS + 1)
    near = to.node(
        "Slice", above, *(to.numbers([value] * 2) for value in (inner.start, inner.stop)), to.numbers([2, 3])
    )
    highest = to.node("ReduceMax", near, to.numbers([2, 3]), keepdims=1)
    share = to.node("Div", above, to.node("Max", highest, to.number(LEAST_CONTRAST)))
    unit = to.number(0), to.number(1)
    belongs = to.node("Div", to.node("Sub", share, to.number(HALF)), to.number(SOFTNESS))
    belongs = to.node("Clip", to.node("Add", belongs, to.number(0.5)), *unit)
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[inner, inner] = 1
    flood = to.node("Div", to.node("Sub", share, to.number(1 - SEED_RANGE)), to.number(SEED_RANGE))
    flood = to.node("Mul", to.node("Clip", flood, *unit), to.constant(mask))
    for _ in range(RADIUS):
        spread = to.node("MaxPool", flood, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
        flood = to.node("Min", spread, belongs)
    extents = [to.node("ReduceMax", flood, to.numbers([side]), keepdims=0) for side in (2, 3)]
    joined = to.node("Concat", *extents, axis=1)  # (N * M, 2, SIDE)
    total = to.node("ReduceSum", joined, to.numbers([2]), keepdims=0)
    offsets = to.constant((np.arange(SIDE) - RADIUS + 0.5).astype(np.float32))
    shift = to.node("ReduceSum", to.node("Mul", joined, offsets), to.numbers([2]), keepdims=0)
    shift = to.node("Div", shift, to.node("Max", total, to.number(LEAST_CONTRAST)))
    shift, total = (
        to.node("Transpose", to.node("Reshape", value, to.numbers([-1, REFINED, 2])), perm=[0, 2, 1])
        for value in (shift, total)
    )
    return to.node("Add", corner, shift), to.node("Max", total, to.number(1))
