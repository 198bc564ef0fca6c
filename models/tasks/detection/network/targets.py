"""What the maps of a head should be like, from the boxes of a batch."""

from typing import NamedTuple

import torch
from torch import Tensor

from models.tasks.detection.boxes import CLASS, IGNORED
from models.tasks.detection.network.head import GEOMETRY
from models.tasks.detection.task import NOT_LABELLED

OVERLAP = 0.5
"""A box whose corners are off by the radius still overlaps the true one this much (Law and Deng 2018,
arXiv:1808.01244)."""

LEAST_SIGMA = 0.6
"""Of the bump around a centre, in cells."""

MOST_VALUES = 2**23
"""Values of bumps that are computed at once."""


class Targets(NamedTuple):
    """Of N images with h x w cells and B objects in all."""

    heat: Tensor
    """(N, K, h, w): 1 at the cell of a centre, falling to 0 around it."""
    weight: Tensor
    """(N, 1, h, w): 0 where it is not known whether there is an object, else 1."""
    image: Tensor
    """Of each object, (B,)."""
    label: Tensor
    """(B,)."""
    row: Tensor
    """Of its cell, (B,)."""
    column: Tensor
    boxes: Tensor
    """Sides in cells, (B, 4)."""


def targets_of(boxes: Tensor, classes: int, height: int, width: int, side: float) -> Targets:
    """Targets of a batch.

    Args:
        boxes: (N, M, 5) in pixels, see `Detection.batch`.
        classes: K.
        height: Rows of cells.
        width: Columns of cells.
        side: Of a cell in pixels.
    """
    count = boxes.shape[0]
    labels = boxes[..., CLASS]
    middle = (boxes[..., :2] + boxes[..., 2:4]) / (2 * side)
    inside = (middle >= 0).all(dim=-1) & (middle[..., 0] < width) & (middle[..., 1] < height)
    image, place = torch.nonzero((labels >= 0) & inside, as_tuple=True)
    objects = boxes[image, place]
    cells = objects[:, :4] / side
    column, row = middle[image, place].floor().long().unbind(dim=1)
    label = objects[:, CLASS].long()
    return Targets(
        heat=_heat(cells, image * classes + label, row, column, count * classes, height, width).view(
            count, classes, height, width
        ),
        weight=_known(boxes, height, width, side),
        image=image,
        label=label,
        row=row,
        column=column,
        boxes=cells,
    )


def encode(targets: Targets, side: float) -> Tensor:
    """Maps (N, K + `GEOMETRY`, h, w) of which `decode` makes the boxes again; two of one class in one cell are one."""
    count, classes, height, width = targets.heat.shape
    maps = targets.heat.new_zeros(count, classes + GEOMETRY, height, width)
    maps[:, :classes] = targets.heat.clamp(1e-6, 1 - 1e-6).logit()
    maps[:, -1] = side
    middle = (targets.boxes[:, :2] + targets.boxes[:, 2:]) / 2
    size = (targets.boxes[:, 2:] - targets.boxes[:, :2]).log()
    cell = torch.stack([targets.column, targets.row], dim=1)
    geometry = torch.cat([middle - cell, size], dim=1)
    maps[targets.image, classes:-1, targets.row, targets.column] = geometry
    return maps


def sigmas(width: Tensor, height: Tensor) -> Tensor:
    """Widths (B,) of the bumps around centres, in cells, from those of the boxes.

    The radius by which both corners may be off, inwards or outwards, with the overlap still at `OVERLAP`; a third of
    the diameter is the bump's width on either side.
    """
    # Both corners move outwards or inwards by r along each axis: the smaller root of each quadratic equation.
    total, area = width + height, width * height
    shifted = (total - (total**2 - 4 * area * (1 - OVERLAP) / (1 + OVERLAP)).clamp(min=0).sqrt()) / 2
    inner = (total - (total**2 - 4 * area * (1 - OVERLAP)).clamp(min=0).sqrt()) / 4
    outer = (-total + (total**2 + 4 * area * (1 - OVERLAP) / OVERLAP).sqrt()) / 4
    radius = torch.minimum(torch.minimum(shifted, inner), outer)
    return ((2 * radius + 1) / 6).clamp(min=LEAST_SIGMA)


def _heat(cells: Tensor, owner: Tensor, row: Tensor, column: Tensor, maps: int, height: int, width: int) -> Tensor:
    """Bumps (maps, h, w), the higher where they overlap."""
    heat = cells.new_zeros(maps, height, width)
    sigma = sigmas(cells[:, 2] - cells[:, 0], cells[:, 3] - cells[:, 1])
    across = _bump(column, sigma, width)  # (B, w)
    down = _bump(row, sigma, height)  # (B, h)
    step = max(1, MOST_VALUES // (height * width))
    for start in range(0, len(cells), step):
        part = slice(start, start + step)
        bumps = down[part, :, None] * across[part, None, :]
        heat.scatter_reduce_(0, owner[part, None, None].expand_as(bumps), bumps, "amax")
    return heat


def _bump(middle: Tensor, sigma: Tensor, size: int) -> Tensor:
    distance = torch.arange(size, device=middle.device)[None] - middle[:, None]
    return torch.exp(-(distance**2) / (2 * sigma[:, None] ** 2))


def _known(boxes: Tensor, height: int, width: int, side: float) -> Tensor:
    """1 but in ignored regions and images that are not labelled, (N, 1, h, w)."""
    labels = boxes[..., CLASS]
    weight = (labels[:, 0] != NOT_LABELLED).to(boxes.dtype)[:, None, None].repeat(1, height, width)
    y = (torch.arange(height, device=boxes.device) + 0.5) * side
    x = (torch.arange(width, device=boxes.device) + 0.5) * side
    for image, place in torch.nonzero(labels == IGNORED).tolist():
        left, top, right, bottom = boxes[image, place, :4]
        covered = ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))
        weight[image][covered] = 0.0
    return weight[:, None]
