"""Features of the shipped encoder, which no training changes: one vector an image, and a map of vectors.

The middle stages of a network that was trained on photographs describe satellite images better than its last one.
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.card import BandStatistics
from models.encoders.first_layer import adapt_first_layer
from models.encoders.multispectral import SHIPPED_FEATURES, FeatureSource, SpectralFeatures
from models.encoders.onnx_layers import OnnxLayers
from models.encoders.shipped import shipped_weights
from models.encoders.stages import CHANNELS, STRIDES, FeatureStages

SMALL_PX = 64
"""Chips up to this side are read at twice their size."""

BAND_CLIP = 8.0
"""Standard deviations at which bands are cut off."""


class FrozenFeatures(nn.Module):
    """Raw band values -> `embedding`, the mean of the stages over valid pixels; on request joined with band statistics.

    Always in evaluation mode, and without gradients. Values are scaled as the weights were trained, (x - 127) / 128 of
    0 to 255: 8-bit values as they are, others mapped to that range by the pool's low and high percentiles.
    """

    def __init__(
        self,
        statistics: BandStatistics,
        bands: Sequence[str] = ("red", "green", "blue"),
        *,
        eight_bit: bool,
        scale: int = 1,
        band_statistics: bool = False,
        source: FeatureSource = FeatureSource(None, SHIPPED_FEATURES),  # noqa: B008  # immutable
    ) -> None:
        """Build it from the shipped weights.

        Args:
            statistics: Of the pool, C bands.
            bands: What each band is, see `models.encoders.bands`; length C.
            eight_bit: Whether raw values are 0 to 255.
            scale: Images are enlarged this many times, bilinearly, see `scale_for`.
            band_statistics: Whether mean and standard deviation of each band, in units of the pool's, are joined to
                the embedding.
            source: Whether features of a network for reflectances are joined, too, after those of the stages.

        Raises:
            ShippedWeightsError: The weights cannot be used here.
            ValueError: `bands` and `statistics` do not have the same length.
        """
        super().__init__()
        if len(bands) != len(statistics.low):
            raise ValueError(f"{len(bands)} names of bands, but statistics of {len(statistics.low)}")
        low, high, mean, std = (
            torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)
            for values in (statistics.low, statistics.high, statistics.mean, statistics.std)
        )
        width = high - low
        self.register_buffer("average", low + mean * width)
        self.register_buffer("deviation", std * width)
        self.register_buffer("offset", torch.zeros_like(low) if eight_bit else low)
        self.register_buffer("factor", torch.ones_like(low) if eight_bit else 255 / width)
        self.average: Tensor
        self.deviation: Tensor
        self.offset: Tensor
        self.factor: Tensor
        weights = dict(shipped_weights())
        weights["conv_stem.weight"] = adapt_first_layer(weights["conv_stem.weight"], bands, others=0)
        self.stages = FeatureStages(weights)
        self.scale = scale
        self.band_statistics = band_statistics
        self.source = source
        self.spectral: SpectralStages | None = None
        self.spectral_size = 0
        if source.spectral is not None:
            self.spectral = SpectralStages(source.spectral)
            self.spectral_size = self.spectral.size
        self.requires_grad_(False)
        self.eval()

    @property
    def embedding_size(self) -> int:
        """D of the `embedding` output."""
        return self.stages_size + (2 * self.average.shape[1] if self.band_statistics else 0)

    @property
    def stages_size(self) -> int:
        """How many of the embedding's values are those of networks and not of bands; they come first."""
        return sum(CHANNELS) + self.spectral_size

    @property
    def stage_strides(self) -> list[int]:
        """Pixels of the image along each side of a cell of each stage."""
        return [stride // self.scale for stride in STRIDES]

    def train(self, mode: bool = True) -> Self:
        """Nothing: its batch statistics stay those of the weights."""
        return super().train(False)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Describe images.

        Args:
            image: (N, C, H, W) float32 raw values; a pixel that is NaN in every band is invalid, bands that are missing
                elsewhere count as the pool's mean; H and W multiples of 32.

        Returns:
            `embedding` (N, D) float32: the mean of each stage over valid pixels, 448 values, then of those of the
            network for reflectances if there is one, then the bands' means and standard deviations if asked for; zeros
            without a valid pixel.
        """
        return {"embedding": self.with_stages(image)[0]}

    def with_stages(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The embedding of images as `forward` answers it, and their stages as `stage_maps` does, at one go."""
        filled, valid = self._filled(image)
        stages = self._encode(filled)
        parts = [pool_valid(stage, valid, stride) for stage, stride in zip(stages, self.stage_strides, strict=True)]
        if self.spectral is not None:
            outputs = zip(self.spectral(filled), self.spectral.strides, strict=True)
            parts += [pool_valid(stage, valid, stride) for stage, stride in outputs]
        if self.band_statistics:
            standard = (filled - self.average) / self.deviation
            mean = pool_valid(standard, valid, 1)
            spread = pool_valid((standard - mean[:, :, None, None]).square(), valid, 1)
            parts += [mean, spread.sqrt()]
        return torch.cat(parts, dim=1), stages

    def stage_maps(self, image: Tensor) -> list[Tensor]:
        """Outputs of the stages, (N, `CHANNELS`, H / s, W / s) by `stage_strides` s; the image as for `forward`."""
        return self._encode(self._filled(image)[0])

    def band_maps(self, image: Tensor) -> Tensor:
        """Means and maxima of the bands under each cell of the finest stage, (N, 2 C, H / s, W / s); see `BAND_CLIP`.

        In standard deviations from the pool's mean, where a stage sees values between the pool's percentiles alone: a
        small object may be much brighter than that. Missing values are 0.
        """
        standard, side = self.standard_bands(image), self.stage_strides[0]
        return torch.cat([F.avg_pool2d(standard, side), F.max_pool2d(standard, side)], dim=1)

    def standard_bands(self, image: Tensor) -> Tensor:
        """The bands as `band_maps` pools them, at each pixel, (N, C, H, W)."""
        missing = torch.isnan(image)
        return torch.where(missing, 0.0, (image - self.average) / self.deviation).clamp(-BAND_CLIP, BAND_CLIP)

    def _filled(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Raw values with the pool's mean where they are missing, and valid (N, 1, H, W) of 0 and 1."""
        missing = torch.isnan(image)
        invalid = missing.to(torch.float32).amin(dim=1, keepdim=True)
        return torch.where(missing, self.average, image), 1.0 - invalid

    def _encode(self, filled: Tensor) -> list[Tensor]:
        values = ((filled - self.offset) * self.factor).clamp(0, 255)
        scaled = (values - 127) / 128
        if self.scale > 1:
            scaled = F.interpolate(scaled, scale_factor=self.scale, mode="bilinear", align_corners=False)
        stages: list[Tensor] = self.stages(scaled)
        return stages


class SpectralStages(nn.Module):
    """Raw values without gaps (N, C, H, W) -> stages of a network for reflectances, (N, D, H / s, W / s) each."""

    def __init__(self, features: SpectralFeatures) -> None:
        super().__init__()
        self.rows = features.rows
        self.strides = list(features.stages.values())
        self.register_buffer("factor", torch.tensor(features.factor, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("shift", torch.tensor(features.shift, dtype=torch.float32).view(1, -1, 1, 1))
        self.factor: Tensor
        self.shift: Tensor
        self.layers = OnnxLayers(features.file, list(features.stages))
        with torch.inference_mode():
            side = max(self.strides)
            self.size = sum(stage.shape[1] for stage in self.layers(torch.zeros(1, len(self.rows), side, side)))

    def forward(self, filled: Tensor) -> list[Tensor]:
        """Compute the stages."""
        stages: list[Tensor] = self.layers(filled[:, self.rows] * self.factor + self.shift)
        return stages


def scale_for(side_px: int) -> int:
    """How many times images of a pool are enlarged: 2 where the longer side of most is at most `SMALL_PX`, else 1."""
    return 2 if side_px <= SMALL_PX else 1


def pool_valid(stage: Tensor, valid: Tensor, stride: int) -> Tensor:
    """Mean (N, D) of a stage (N, D, h, w), weighted by the share of valid pixels (N, 1, H, W) under each cell."""
    weight = F.avg_pool2d(valid, stride) if stride > 1 else valid
    return (stage * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3)).clamp(min=1e-6)
