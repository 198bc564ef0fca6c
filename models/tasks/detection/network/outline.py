"""Where a small object ends: from its peak outwards, as long as pixels stand out from what is around it.

A head that says sizes from features is off by a factor of 1.7 on objects of 3 to 15 px, which few labels cannot mend,
and its cells are coarser than the objects' edges. So of small objects the extent is read from the pixels: in the
mixture of bands in which labelled objects stand out most from their surroundings (linear discriminant, Fisher 1936),
all that is connected with the peak and has half of its contrast belongs to the object. The flood is a grey-scale
reconstruction by dilation (Vincent 1993, doi 10.1109/83.217222), which is continuous: no pixel tips over.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models import metrics
from models.arrays import Floats
from models.tasks.detection.boxes import CLASS

RADIUS = 12
"""Pixels around a peak that are looked at."""

SIDE = 2 * RADIUS + 1

SEEDS = 4
"""The flood starts within so many pixels of the peak, at what stands out most."""

HALF, SOFTNESS = 0.5, 0.2
"""Share of the contrast from which a pixel belongs to the object, and the range over which that changes."""

SEED_RANGE = 0.1
"""Pixels whose contrast is within this share of the highest one are where the flood starts."""

LEAST_CONTRAST = 1e-2
"""Standard deviations of the bands' mixture; less is none."""

LARGEST, SHARED = 24.0, 8.0
"""Pixels: objects of this size by the head keep its sides, and those that are smaller by `SHARED` have the outline's;
between both they are mixed."""

FREE, SAME = 0.5, 0.8
"""Overlaps (IoU) of two boxes of a class: up to the first both count, from the second on only the likelier one."""

REFINED = 100
"""Of the likeliest boxes."""

MOST_LOOKED_AT = 2000
"""Boxes from which is learnt how objects stand out."""

LEAST_BOXES = 8
"""Small labelled boxes that are needed to say what objects look like."""

GROWTHS = tuple(0.7 * 1.1**step for step in range(10))
"""Of an outline to the size of a label, which may be drawn generously; the one with the largest mean overlap is taken,
as wrong labels overlap nothing anyway."""

GAP, RING = 2, 8
"""Pixels around a box: nearer ones may be the object's, those up to `RING` are its surroundings."""

SHRINKAGE = 0.01
"""Of the surroundings' covariance towards equal variances."""


class Outline(NamedTuple):
    """How the objects of a task stand out."""

    weights: Tensor
    """(C,) of the bands, in standard deviations."""
    growth: float
    """Labelled sides by those of outlines."""


def outlined(contrast: Tensor, sides: Tensor, growth: Tensor) -> Tensor:
    """Sides of boxes (N, M, 4) after a look at the pixels.

    Args:
        contrast: The mixture of bands, (N, 1, H, W).
        sides: By the head, in pixels, (N, M, 4).
        growth: Of outlines, (N, 1).
    """
    middle = (sides[..., :2] + sides[..., 2:]) / 2
    found_middle, found_size = _flooded(contrast, middle)
    half = found_size * growth[..., None] / 2
    found = torch.cat([found_middle - half, found_middle + half], dim=2)
    size = (sides[..., 2:] - sides[..., :2]).prod(dim=2, keepdim=True).sqrt()
    share = ((LARGEST - size) / SHARED).clamp(0, 1)
    return sides + share * (found - sides)


def once_each(sides: Tensor, scores: Tensor, label: Tensor) -> Tensor:
    """Scores (N, M) of boxes, the likeliest first, lower where a likelier box of the class has the same place.

    Several peaks beside each other lead to the same object. As Matrix NMS does (Wang et al. 2020, arXiv:2003.10152),
    scores fall step by step with the largest overlap, from `FREE` on to 0 at `SAME`.

    Args:
        sides: (N, M, 4).
        scores: (N, M).
        label: Class of each, (N, M).
    """
    low = torch.maximum(sides[:, :, None, :2], sides[:, None, :, :2])
    high = torch.minimum(sides[:, :, None, 2:], sides[:, None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=3)
    area = (sides[..., 2:] - sides[..., :2]).prod(dim=2)
    overlap = shared / (area[:, :, None] + area[:, None] - shared).clamp(min=LEAST_CONTRAST)
    alike = (label[:, :, None] == label[:, None]).to(overlap.dtype)
    most = (overlap * alike).tril(-1).amax(dim=2)
    return scores * ((SAME - most) / (SAME - FREE)).clamp(0, 1)


def _flooded(contrast: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
    """Middles and sizes (N, M, 2) of what is around those points."""
    batch, _, height, width = contrast.shape
    most = torch.tensor([width - 1, height - 1], dtype=middle.dtype, device=middle.device)
    corner = torch.minimum(middle.floor().clamp(min=0), most)  # of the window in the padded image
    padded = F.pad(contrast, (RADIUS,) * 4, mode="replicate").reshape(batch, -1)
    steps = torch.arange(SIDE, device=contrast.device)
    start = corner[..., 1].long() * (width + 2 * RADIUS) + corner[..., 0].long()  # (N, M)
    window = (steps[:, None] * (width + 2 * RADIUS) + steps).reshape(-1)
    values = padded.gather(1, (start[..., None] + window).reshape(batch, -1)).reshape(-1, 1, SIDE, SIDE)
    around = values.reshape(-1, SIDE * SIDE).topk(SIDE * SIDE // 2 + 1, dim=1).values.amin(dim=1)  # the median
    above = values - around.view(-1, 1, 1, 1)
    inner = slice(RADIUS - SEEDS, RADIUS + SEEDS + 1)
    highest = above[:, :, inner, inner].amax(dim=(2, 3), keepdim=True).clamp(min=LEAST_CONTRAST)
    share = above / highest
    belongs = ((share - HALF) / SOFTNESS + 0.5).clamp(0, 1)
    near = torch.zeros(SIDE, SIDE, device=contrast.device)
    near[inner, inner] = 1
    flood = ((share - (1 - SEED_RANGE)) / SEED_RANGE).clamp(0, 1) * near
    for _ in range(RADIUS):
        flood = torch.minimum(F.max_pool2d(flood, 3, stride=1, padding=1), belongs)
    shape = (batch, -1, SIDE)
    extents = torch.stack(
        [flood.amax(dim=2).reshape(shape), flood.amax(dim=3).reshape(shape)], dim=2
    )  # (N, M, 2, SIDE)
    total = extents.sum(dim=3)
    offsets = steps.to(contrast.dtype) - RADIUS + 0.5
    shift = (extents * offsets).sum(dim=3) / total.clamp(min=LEAST_CONTRAST)
    return corner + shift, total.clamp(min=1)


def fit_outline(chips: Iterable[tuple[Tensor, Floats]]) -> Outline | None:
    """How labelled objects stand out; None: outlines say no more of them than their usual size.

    Args:
        chips: Bands in standard deviations (C, H, W), and boxes (n, 5) in pixels, of each.
    """
    kept, count = list[tuple[Tensor, Tensor]](), 0
    for bands, boxes in chips:
        small = _small(boxes)[: MOST_LOOKED_AT - count]
        if len(small):
            kept.append((bands.float(), small))
            count += len(small)
    truth = torch.cat([small for _, small in kept]) if kept else torch.zeros(0, 4)
    if len(truth) < LEAST_BOXES:
        return None
    weights = _standing_out(kept)
    if weights is None:
        return None
    parts = []
    for bands, small in kept:
        contrast = torch.tensordot(weights, bands, dims=1)[None, None]
        middle, size = _flooded(contrast, ((small[:, :2] + small[:, 2:]) / 2)[None])
        parts.append(torch.cat([middle, size], dim=2)[0])
    middle, size = torch.cat(parts).tensor_split(2, dim=1)
    true_size = truth[:, 2:] - truth[:, :2]
    overlaps = {growth: _overlap(middle, growth * size, truth) for growth in GROWTHS}
    best = max(overlaps, key=overlaps.__getitem__)
    usual = true_size.log().median(dim=0).values.exp()
    return Outline(weights, best) if overlaps[best] > _overlap(middle, usual.expand_as(size), truth) else None


def _overlap(middle: Tensor, size: Tensor, truth: Tensor) -> float:
    """Mean IoU of boxes with those of the truth."""
    boxes = torch.cat([middle - size / 2, middle + size / 2], dim=1)
    return float(metrics.box_iou(boxes.numpy(), truth.numpy()).diagonal().mean())


def _small(boxes: Floats) -> Tensor:
    """Sides (n, 4) of the boxes that windows hold."""
    sides = torch.from_numpy(boxes[boxes[:, CLASS] >= 0, :4])
    size = sides[:, 2:] - sides[:, :2]
    return sides[(size.amax(dim=1) <= LARGEST) & (size.amin(dim=1) > 0)]


def _standing_out(chips: list[tuple[Tensor, Tensor]]) -> Tensor | None:
    """The discriminant (C,) between boxes and their surroundings; None: there are none."""
    means, spreads = [], []
    for bands, boxes in chips:
        height, width = bands.shape[1:]
        for left, top, right, bottom in boxes.tolist():
            inside = bands[:, *_rectangle(left, top, right, bottom, 0, height, width)].flatten(1)
            rows, columns = _rectangle(left, top, right, bottom, RING, height, width)
            inner_rows, inner_columns = _rectangle(left, top, right, bottom, GAP, height, width)
            ring = torch.ones(rows.stop - rows.start, columns.stop - columns.start, dtype=torch.bool)
            ring[
                inner_rows.start - rows.start : inner_rows.stop - rows.start,
                inner_columns.start - columns.start : inner_columns.stop - columns.start,
            ] = False
            if not inside.numel() or not ring.any():
                continue
            around = bands[:, rows, columns][:, ring]
            usual = around.median(dim=1, keepdim=True).values
            means.append((inside - usual).mean(dim=1).double())
            apart = (around - usual).double()
            spreads.append(apart @ apart.T / apart.shape[1])
    if not means:
        return None
    spread = torch.stack(spreads).mean(dim=0)
    ridge = SHRINKAGE * spread.diagonal().mean() + 1e-6
    weights = torch.linalg.solve(
        spread + ridge * torch.eye(len(spread), dtype=torch.float64), torch.stack(means).mean(0)
    )
    length = weights.norm()
    return (weights / length).float() if length > 0 else None


def _rectangle(
    left: float, top: float, right: float, bottom: float, more: int, height: int, width: int
) -> tuple[slice, slice]:
    """Rows and columns of the pixels that a box touches, and so many more on each side; none outside of the image."""
    rows, columns = (
        slice(min(max(math.floor(low) - more, 0), size), max(min(math.ceil(high) + more, size), 0))
        for low, high, size in ((top, bottom, height), (left, right, width))
    )
    return rows, columns
