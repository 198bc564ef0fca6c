"""How far a head's maps are from the boxes of a batch."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.tasks.detection.network.decoding import LOG_SIZE
from models.tasks.detection.network.head import GEOMETRY
from models.tasks.detection.network.targets import Targets, targets_of
from models.tasks.detection.task import SMALL_PX

FOCUS, REDUCTION = 2.0, 4.0
"""Exponents of the focal loss: how little easy cells count, and how little cells near a centre."""

SIZE_WEIGHT = 0.5
"""Of the logarithm of the sizes, against the overlap of the boxes."""

NWD_PX = 12.8
"""Scale of the distance of tiny boxes, their mean side in AI-TOD (Wang et al. 2021, arXiv:2110.13389)."""

AROUND = ((0, 0, 1.0), (0, 1, 0.5), (0, -1, 0.5), (1, 0, 0.5), (-1, 0, 0.5))
"""Cells around a centre that learn its box, and their weights: a peak may be found one cell beside it."""


class DetectionLoss(nn.Module):
    """Focal loss of the centres, L1 of the sizes' logarithms, and 1 - GIoU or, of small boxes, 1 - NWD."""

    def __init__(self, class_weight: NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("weight", torch.as_tensor(class_weight))
        self.weight: Tensor

    def forward(self, maps: Tensor, boxes: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            maps: Of `DetectionHead`, (N, K + `GEOMETRY`, h, w); further channels say nothing.
            boxes: (N, M, 5) in pixels, see `Detection.batch`.
        """
        maps = maps.float()
        classes = len(self.weight)
        side = maps[0, classes + GEOMETRY - 1, 0, 0].item()
        targets = targets_of(boxes, classes, maps.shape[2], maps.shape[3], side)
        if not targets.weight.any():
            return maps.sum() * 0.0
        return self._centres(maps[:, :classes], targets) + self._geometry(
            maps[:, classes : classes + GEOMETRY], targets, side
        )

    def _centres(self, logits: Tensor, targets: Targets) -> Tensor:
        """Penalty-reduced focal loss (arXiv:1904.07850, equation 1), by object."""
        at = torch.zeros_like(targets.heat, dtype=torch.bool)
        at[targets.image, targets.label, targets.row, targets.column] = True
        likely = logits.sigmoid()
        found = -((1 - likely) ** FOCUS) * F.logsigmoid(logits) * self.weight.view(1, -1, 1, 1)
        quiet = -(likely**FOCUS) * F.logsigmoid(-logits) * (1 - targets.heat) ** REDUCTION * targets.weight
        return torch.where(at, found, quiet).sum() / max(len(targets.label), 1)

    def _geometry(self, maps: Tensor, targets: Targets, side: float) -> Tensor:
        """Of the channels behind the classes, (N, `GEOMETRY`, h, w)."""
        if not len(targets.label):
            return maps.sum() * 0.0
        height, width = maps.shape[2:]
        total, weights = maps.new_zeros(()), maps.new_zeros(())
        for down, across, weight in AROUND:
            row, column = targets.row + down, targets.column + across
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            image, row, column = targets.image[inside], row[inside], column[inside]
            offset_x, offset_y, log_width, log_height, _ = maps[image, :, row, column].unbind(dim=1)
            log_size = torch.stack([log_width, log_height], dim=1).clamp(-LOG_SIZE, LOG_SIZE)
            middle = torch.stack([column + offset_x, row + offset_y], dim=1)
            half = log_size.exp() / 2
            answer, truth = torch.cat([middle - half, middle + half], dim=1), targets.boxes[inside]
            true_size = (truth[:, 2:] - truth[:, :2]).clamp(min=1e-3)
            size = F.smooth_l1_loss(log_size, true_size.log(), reduction="none", beta=0.1).sum(dim=1)
            small = true_size.prod(dim=1) * side**2 < SMALL_PX**2
            apart = torch.where(small, 1 - nwd(answer * side, truth * side), 1 - giou(answer, truth))
            shift = F.smooth_l1_loss(middle, (truth[:, :2] + truth[:, 2:]) / 2, reduction="none", beta=0.5).sum(dim=1)
            total = total + weight * (SIZE_WEIGHT * size + apart + SHIFT_WEIGHT * shift).sum()
            weights = weights + weight * len(row)
        return total / weights.clamp(min=1e-6)


SHIFT_WEIGHT = 0.2
"""Of the centre's distance in cells: where boxes do not overlap, their overlap says little."""


def giou(one: Tensor, other: Tensor) -> Tensor:
    """Generalised IoU (B,) of boxes (B, 4), -1 to 1 (Rezatofighi et al. 2019, arXiv:1902.09630)."""
    shared = (torch.minimum(one[:, 2:], other[:, 2:]) - torch.maximum(one[:, :2], other[:, :2])).clamp(min=0)
    both = shared.prod(dim=1)
    union = (one[:, 2:] - one[:, :2]).prod(dim=1) + (other[:, 2:] - other[:, :2]).prod(dim=1) - both
    hull = (torch.maximum(one[:, 2:], other[:, 2:]) - torch.minimum(one[:, :2], other[:, :2])).prod(dim=1)
    return both / union.clamp(min=1e-7) - (hull - union) / hull.clamp(min=1e-7)


def nwd(one: Tensor, other: Tensor) -> Tensor:
    """Normalised Wasserstein distance (B,) of boxes (B, 4) in pixels as normal distributions, 0 to 1 (equal).

    Kind to tiny boxes: one that is off by its own size overlaps the truth nowhere, and is still not far from it (Wang
    et al. 2021, arXiv:2110.13389).
    """
    middle = ((one[:, :2] + one[:, 2:]) - (other[:, :2] + other[:, 2:])) / 2
    half = ((one[:, 2:] - one[:, :2]) - (other[:, 2:] - other[:, :2])) / 2
    distance = (middle.square().sum(dim=1) + half.square().sum(dim=1) + 1e-7).sqrt()
    return torch.exp(-distance / NWD_PX)
