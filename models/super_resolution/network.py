"""The network, after SPAN (Wan et al. 2024, arXiv:2311.12770): attention without parameters, and one up-sampling.

Raw values go in and come out: normalisation, invalid pixels, a bicubic skip and the constraint of low frequencies are
inside the graph. Convolutions are plain ones of 3 x 3, not SPAN's re-parameterised ones: those compute the same once
they are trained, and training them takes several times as long.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.card import BandStatistics
from models.super_resolution.degrading import psf_kernel

FILL_PX = 7
"""Invalid pixels get the mean of the valid ones in a square of this side, or the middle of the band's range."""
PROJECTIONS = 3
"""Times that the output is corrected by what the stated sensor would have seen differently."""


class AttentionBlock(nn.Module):
    """Three convolutions whose result also weighs itself: (f + x) * (sigmoid(f) - 1/2), equation 3 of the paper."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        last = self.layers[2].weight  # larger than usual: as sigmoid(f) - 1/2 is small, the signal would fade
        assert isinstance(last, Tensor)  # noqa: S101  # for the type checker
        nn.init.kaiming_normal_(last, nonlinearity="linear")

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, D, H, W) -> the block's output, and its first layer's, which the end of the network sees, too."""
        first = self.layers[0](features)
        second = self.layers[1](F.silu(first))
        third = self.layers[2](F.silu(second))
        return (third + features) * (torch.sigmoid(third) - 0.5), first


class Body(nn.Module):
    """Normalised images (N, C, H, W) -> what is added to their bicubic enlargement, (N, C, f H, f W)."""

    def __init__(self, bands: int, factor: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.entry = nn.Conv2d(bands, channels, 3, padding=1)
        self.blocks = nn.ModuleList(AttentionBlock(channels) for _ in range(blocks))
        self.exit = nn.Conv2d(channels, channels, 3, padding=1)
        self.mix = nn.Conv2d(4 * channels, channels, 1)
        self.enlarge = nn.Conv2d(channels, bands * factor**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(factor)
        nn.init.zeros_(self.enlarge.weight)  # training begins at bicubic
        if self.enlarge.bias is not None:
            nn.init.zeros_(self.enlarge.bias)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        entered = self.entry(images)
        features, kept, last_first = entered, entered, entered
        for index, block in enumerate(self.blocks):
            features, last_first = block(features)
            kept = features if index == 0 else kept
        mixed = self.mix(torch.cat([entered, self.exit(features), kept, last_first], dim=1))
        enlarged: Tensor = self.shuffle(self.enlarge(mixed))
        return enlarged


class Sensor(nn.Module):
    """What a coarser sensor would have seen, as `models.super_resolution.degrading` has it, for valid values."""

    kernel: Tensor

    def __init__(self, factor: int, mtf: float) -> None:
        super().__init__()
        kernel = torch.tensor(psf_kernel(factor, mtf), dtype=torch.float32)
        self.factor, self.margin = factor, (len(kernel) - factor) // 2
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, f H, f W) -> (N, C, H, W)."""
        bands = images.shape[1]
        margin = self.margin
        padded = F.pad(images, (margin, margin, margin, margin), mode="replicate")
        rows = self.kernel.view(1, 1, -1, 1).repeat(bands, 1, 1, 1)
        columns = self.kernel.view(1, 1, 1, -1).repeat(bands, 1, 1, 1)
        reduced = F.conv2d(padded, rows, stride=(self.factor, 1), groups=bands)
        return F.conv2d(reduced, columns, stride=(1, self.factor), groups=bands)


class SuperResolutionNetwork(nn.Module):
    """Raw values to raw values of `factor` times as many rows and columns.

    The low frequencies of the output are those of the input, as in SEN2SR (Aybar et al. 2026,
    doi 10.1016/j.rse.2025.115222): `PROJECTIONS` steps of back-projection (Irani and Peleg 1991, CVGIP 53:231) add what
    the stated sensor would have seen differently. A frequency that the sensor passes by m keeps (1 - m)^`PROJECTIONS`
    of its difference: nothing at low frequencies, where m is 1. SEN2SR cuts with a Fourier transform, which sees the
    whole image: its tiles would have seams.
    """

    low: Tensor
    span: Tensor

    def __init__(
        self, statistics: BandStatistics, factor: int, mtf: float, *, channels: int = 48, blocks: int = 6
    ) -> None:
        super().__init__()
        low, high = (torch.tensor(side, dtype=torch.float32) for side in (statistics.low, statistics.high))
        self.register_buffer("low", low.view(1, -1, 1, 1))
        self.register_buffer("span", (high - low).view(1, -1, 1, 1))
        self.factor = factor
        self.body = Body(len(low), factor, channels, blocks)
        self.sensor = Sensor(factor, mtf)

    def enlarged(self, images: Tensor) -> Tensor:
        """Bicubic enlargement (a = -3/4) of images without invalid pixels."""
        return F.interpolate(images, scale_factor=float(self.factor), mode="bicubic", align_corners=False)

    def restored(self, images: Tensor) -> Tensor:
        """Normalised images without invalid pixels -> normalised output."""
        made: Tensor = self.enlarged(images) + self.body(images)
        for _ in range(PROJECTIONS):
            made = made + self.enlarged(images - self.sensor(made))
        return made

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Raw values (N, C, H, W), NaN where invalid -> `image_hr`, (N, C, f H, f W), NaN where the input pixel is."""
        valid, filled = self._filled(image)
        return {"image_hr": self._raw(self.restored(filled), valid)}

    def bicubic(self, image: Tensor) -> Tensor:
        """As `forward`, without the network and without back-projection: what it is measured beside."""
        valid, filled = self._filled(image)
        return self._raw(self.enlarged(filled), valid)

    def _filled(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Where raw values are valid, and all scaled, with something likely where they are not."""
        valid = torch.isfinite(image)
        known = valid.to(image.dtype)
        scaled = torch.where(valid, (image - self.low) / self.span, torch.zeros_like(image))
        around = F.avg_pool2d(known, FILL_PX, 1, FILL_PX // 2)
        local = F.avg_pool2d(scaled, FILL_PX, 1, FILL_PX // 2) / around.clamp(min=1e-6)
        local = torch.where(around > 1e-6, local, torch.full_like(local, 0.5))
        return valid, torch.where(valid, scaled, local)

    def _raw(self, made: Tensor, valid: Tensor) -> Tensor:
        wide = F.interpolate(valid.to(made.dtype), scale_factor=float(self.factor), mode="nearest")
        return torch.where(wide > 0.5, made * self.span + self.low, torch.full_like(made, torch.nan))


def parameter_count(network: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in network.parameters())


def reach_px(blocks: int) -> int:
    """Input pixels that the network sees around a pixel, at most: tiles that overlap by twice as many have no seams."""
    convolutions = 3 * blocks + 3
    return convolutions + FILL_PX // 2 + 4 * (PROJECTIONS + 1)


OUTPUTS: Sequence[str] = ("image_hr",)
