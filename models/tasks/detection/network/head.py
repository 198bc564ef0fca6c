"""A dense, anchor-free head: at every cell, is a centre of an object here, where in the cell, and how large is it?

CenterNet (Zhou et al. 2019, arXiv:1904.07850) on a feature pyramid (Lin et al. 2017, arXiv:1612.03144) with group
normalisation, which does not depend on the batch (Wu and He 2018, arXiv:1803.08494).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.tasks.network import EncodedImages

CHANNELS = 32
GROUPS = 8
FINEST = 4
"""Stride of the cells in pixels of what the encoder sees: half of it in those of an image that is read at twice its
size."""

PRIOR = 0.05
"""Probability of a centre that a head starts with: an even start keeps the many empty cells from shaking it."""

NOWHERE = -20.0
"""Logit of a centre where the image has no valid pixel."""

GEOMETRY = 5
"""Channels behind the classes: offset of the centre in its cell along x and y in cells, logarithm of width and height
in cells, and the side of a cell in pixels, which is the same everywhere."""


class DetectionHead(nn.Module):
    """Stages of an encoder -> (N, K + `GEOMETRY`, h, w): logits of the classes' centres, and the geometry."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int], classes: int, enlarged: int = 1) -> None:
        super().__init__()
        finest = next(stride for stride in strides if stride >= FINEST // enlarged)
        self.used = [number for number, stride in enumerate(strides) if stride >= finest]
        self.strides = [strides[number] for number in self.used]
        self.classes = classes
        self.laterals = nn.ModuleList(_normed(channels[number], CHANNELS, 1) for number in self.used)
        self.smooth = nn.ModuleList([_normed(CHANNELS, CHANNELS, 3), _normed(CHANNELS, CHANNELS, 3)])
        self.centres = nn.Conv2d(CHANNELS, classes, 1)
        self.geometry = nn.Conv2d(CHANNELS, GEOMETRY - 1, 1)
        nn.init.normal_(self.centres.weight, std=0.01)
        self.centres.bias = nn.Parameter(torch.full((classes,), math.log(PRIOR / (1 - PRIOR))))
        nn.init.normal_(self.geometry.weight, std=0.01)
        self.geometry.bias = nn.Parameter(torch.tensor([0.5, 0.5, 1.5, 1.5]))

    @property
    def stride(self) -> int:
        """Side of a cell in pixels of the image."""
        return self.strides[0]

    def forward(self, encoded: EncodedImages) -> Tensor:
        """See `TaskNetwork.head`."""
        stages = [encoded.stages[number] for number in self.used]
        merged: Tensor | None = None
        for number in range(len(stages) - 1, -1, -1):
            lateral = self.laterals[number](stages[number])
            if merged is None:
                merged = lateral
                continue
            times = self.strides[number + 1] // self.strides[number]
            merged = lateral + (F.interpolate(merged, scale_factor=times, mode="nearest") if times > 1 else merged)
        for block in self.smooth:
            merged = F.relu(block(merged))
        return masked(self.centres(merged), self.geometry(merged), encoded.valid, self.stride)


def masked(centres: Tensor, geometry: Tensor, valid: Tensor, stride: int) -> Tensor:
    """What a head answers, (N, K + `GEOMETRY`, h, w).

    Args:
        centres: Logits (N, K, h, w); they become `NOWHERE` in cells without a valid pixel.
        geometry: Offsets and sizes (N, 4, h, w).
        valid: (N, 1, H, W).
        stride: Side of a cell in pixels.
    """
    somewhere = F.max_pool2d(valid, stride) > 0  # a cell with a single valid pixel may hold a centre
    centres = torch.where(somewhere, centres, torch.full_like(centres, NOWHERE))
    return torch.cat([centres, geometry, torch.full_like(centres[:, :1], float(stride))], dim=1)


def _normed(channels: int, size: int, kernel: int) -> nn.Sequential:
    """A convolution and its normalisation."""
    convolution = nn.Conv2d(channels, size, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(GROUPS, size))
