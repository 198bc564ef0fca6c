"""A linear head for each pixel: logits at every stage's own resolution, interpolated to the image and added up.

The same as a linear head on all stages interpolated to one size, at a fraction of the cost: interpolation and sum are
linear, so K + 1 logits are enlarged instead of 448 features (hypercolumns, Hariharan et al. 2015, arXiv:1411.5752).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from models.arrays import Matrix
from models.heads.linear_head import Head

CLIP = 5.0
"""Standard deviations at which features are cut off."""


class PixelScaling(NamedTuple):
    """How the stages become what a head sees: (x - mean) / deviation, cut at `CLIP`, each stage then of one length."""

    mean: NDArray[np.float32]
    """Of each channel of all stages, shape (D,)."""
    deviation: NDArray[np.float32]
    """Shape (D,)."""


class PixelFeatures(nn.Module):
    """Standardised stages."""

    def __init__(self, scaling: PixelScaling, channels: Sequence[int], strides: Sequence[int]) -> None:
        """Channels of each stage, and pixels of the image along each side of its cells."""
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(scaling.mean).view(1, -1, 1, 1))
        self.register_buffer("deviation", torch.from_numpy(scaling.deviation).view(1, -1, 1, 1))
        self.mean: Tensor
        self.deviation: Tensor
        self.channels, self.strides = list(channels), list(strides)
        self.factors = [(len(self.channels) * size) ** -0.5 for size in self.channels]

    def forward(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """Stages (N, C_i, H / s_i, W / s_i) each, of about unit length together."""
        scaled = []
        parts = zip(stages, self.parts(self.mean), self.parts(self.deviation), self.factors, strict=True)
        for stage, mean, deviation, factor in parts:
            scaled.append(((stage - mean) / deviation).clamp(-CLIP, CLIP) * factor)
        return scaled

    def parts(self, values: Tensor) -> list[Tensor]:
        """What belongs to each stage of values (1, D, 1, 1) or (K, D, 1, 1)."""
        return list(torch.split(values, self.channels, dim=1))

    def at(self, stages: Sequence[Tensor], rows: Tensor, columns: Tensor, scale: int = 1) -> Matrix:
        """Features (n, D) of pixels of one image, interpolated as a head's logits are.

        Args:
            stages: Of one image, (1, C_i, H / s_i, W / s_i) each.
            rows: Pixels, (n,), or their parts.
            columns: Pixels, (n,), or their parts.
            scale: Parts of a pixel along each side.
        """
        finest = self.strides[0]
        joined = torch.cat(
            [enlarged(stage, stride // finest) for stage, stride in zip(self(stages), self.strides, strict=True)], dim=1
        )
        height, width = joined.shape[-2:]
        # Centres of the pixels where -1 and 1 are the outer edges of the image.
        across = (2 * columns.to(torch.float32) + 1) / (scale * finest * width) - 1
        down = (2 * rows.to(torch.float32) + 1) / (scale * finest * height) - 1
        grid = torch.stack([across, down], dim=1)[None, None]
        picked = F.grid_sample(joined, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return np.ascontiguousarray(picked[0, :, 0].T.numpy())


class PixelHead(nn.Module):
    """Standardised stages -> logits (N, K, S H, S W)."""

    def __init__(self, features: PixelFeatures, head: Head, output_scale: int = 1) -> None:
        """Take a fitted head, for `output_scale` S."""
        super().__init__()
        self.output_scale = output_scale
        size, outputs = head.weights.shape[0] - 1, head.weights.shape[1]
        self.weight = nn.Parameter(torch.from_numpy(head.weights[:-1].T.copy()).view(outputs, size, 1, 1))
        self.bias = nn.Parameter(torch.from_numpy(head.weights[-1].copy()).view(1, outputs, 1, 1))
        self.channels, self.strides = features.channels, features.strides

    def forward(self, scaled: Sequence[Tensor]) -> Tensor:
        """Logits of the stages of `PixelFeatures`."""
        finest = self.strides[0]
        weights = torch.split(self.weight, self.channels, dim=1)
        logits: Tensor = self.bias
        for stage, weight, stride in zip(scaled, weights, self.strides, strict=True):
            logits = logits + enlarged(F.conv2d(stage, weight), stride // finest)
        return enlarged(logits, self.output_scale * finest)


def enlarged(values: Tensor, times: int) -> Tensor:
    """Bilinearly, (N, C, h, w) -> (N, C, times * h, times * w)."""
    if times == 1:
        return values
    return F.interpolate(values, scale_factor=times, mode="bilinear", align_corners=False)
