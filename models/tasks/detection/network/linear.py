"""A linear head for boxes: at each stage's own resolution, interpolated to the finest one's and added up.

For few labels on frozen features, where a pyramid with its own convolutions learns the training images by heart, and
its normalisation forgets how bright an object is. As `models.training.pixels.head` for areas (hypercolumns, Hariharan
et al. 2015, arXiv:1411.5752).
"""

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.arrays import Floats
from models.tasks.detection.network.head import FINEST, GEOMETRY, PRIOR, masked
from models.tasks.detection.network.outline import fit_outline
from models.tasks.network import EncodedImages

FINE = 2
"""Stride of cells beside which pixels are looked at."""

CLIP = 5.0
"""Standard deviations at which features are cut off."""


class LinearDetectionHead(nn.Module):
    """Stages of an encoder -> (N, K + `GEOMETRY`, h, w), as `DetectionHead` answers.

    Where outlines of objects say something, there are 1 + s * s further channels: the growth of outlines, which is the
    same everywhere, and the contrast of the s x s pixels of a cell.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], classes: int, enlarged: int = 1) -> None:
        super().__init__()
        finest = next(stride for stride in strides if stride >= FINEST // enlarged)
        self.used = [number for number, stride in enumerate(strides) if stride >= finest]
        self.strides = [strides[number] for number in self.used]
        self.classes = classes
        sizes = [channels[number] for number in self.used]
        layers = [nn.Conv2d(size, classes + GEOMETRY - 1, 1, bias=False) for size in sizes]
        for layer in layers:
            nn.init.zeros_(layer.weight)
        self.layers = nn.ModuleList(layers)
        start = [math.log(PRIOR / (1 - PRIOR))] * classes + [0.5, 0.5, 1.5, 1.5]
        self.bias = nn.Parameter(torch.tensor(start).view(1, -1, 1, 1))
        self.register_buffer("contrast", torch.zeros(1, channels[0] if strides[0] == 1 else 0, 1, 1))
        self.contrast: Tensor
        self.register_buffer("growth", torch.ones(1))
        self.growth: Tensor
        for number, size in enumerate(sizes):
            self.register_buffer(f"mean_{number}", torch.zeros(1, size, 1, 1))
            self.register_buffer(f"deviation_{number}", torch.ones(1, size, 1, 1))

    @property
    def stride(self) -> int:
        """Side of a cell in pixels of the image."""
        return self.strides[0]

    def standardise(self, means: Sequence[Tensor], deviations: Sequence[Tensor]) -> None:
        """Say what features are like, (C_i,) of each stage of the encoder; nothing is standardised before."""
        for place, number in enumerate(self.used):
            for name, values in (("mean", means[number]), ("deviation", deviations[number])):
                self.get_buffer(f"{name}_{place}").copy_(values.view(1, -1, 1, 1))

    def see_outlines(self, chips: Iterable[tuple[Tensor, Floats]]) -> None:
        """Look at how objects stand out from the pixels around them, see `outline`; only where the head is that fine.

        Args:
            chips: Bands in standard deviations (C, H, W), and boxes (n, 5) in pixels, of each image.
        """
        found = fit_outline(chips) if self.contrast.numel() and self.stride == FINE else None
        if found is not None:
            self.contrast.copy_(found.weights.view(1, -1, 1, 1))
            self.growth.fill_(found.growth)

    @property
    def outlines(self) -> bool:
        """Whether sides of boxes are read from pixels."""
        return bool(self.contrast.any())

    def scaling(self, place: int) -> tuple[Tensor, Tensor]:
        """Mean and deviation (1, C, 1, 1) of the features of one of the stages used."""
        return self.get_buffer(f"mean_{place}"), self.get_buffer(f"deviation_{place}")

    def forward(self, encoded: EncodedImages) -> Tensor:
        """See `TaskNetwork.head`."""
        total = self.bias
        for place, (number, layer) in enumerate(zip(self.used, self.layers, strict=True)):
            mean, deviation = self.scaling(place)
            values = layer(((encoded.stages[number] - mean) / deviation).clamp(-CLIP, CLIP))
            times = self.strides[place] // self.stride
            if times > 1:
                values = F.interpolate(values, scale_factor=times, mode="bilinear", align_corners=False)
            total = total + values
        maps = masked(total[:, : self.classes], total[:, self.classes :], encoded.valid, self.stride)
        if not self.outlines:
            return maps
        contrast = F.pixel_unshuffle(F.conv2d(encoded.stages[0], self.contrast), self.stride)
        return torch.cat([maps, self.growth.expand_as(maps[:, :1]), contrast], dim=1)
