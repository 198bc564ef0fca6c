"""Two different views of one chip: random crops, turns and light, for whole batches in torch.

What a class of land cover does not depend on, and nothing else, may change between views: overhead images have no up,
and gain, offset and sharpness differ from scene to scene.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from models.pretrain_config import PretrainConfig


def random_views(chips: Tensor, config: PretrainConfig, generator: Generator) -> tuple[Tensor, Tensor]:
    """One random view of every chip.

    Args:
        chips: (N, C, S, S) float32 standardised values, NaN at invalid pixels.
        config: How much may change.
        generator: Source of the draws, on the CPU: the draws are the same on every device.

    Returns:
        Views (N, C, S, S) with 0 at invalid pixels, and valid (N, 1, S, S) float32 of 0 and 1.
    """
    valid = (~torch.isnan(chips).any(dim=1, keepdim=True)).to(chips.dtype)
    stacked = torch.cat([torch.where(valid > 0, chips, 0.0), valid], dim=1)
    grid = F.affine_grid(
        _crops(len(chips), config, generator).to(chips.device), list(stacked.shape), align_corners=False
    )
    moved = F.grid_sample(stacked, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    seen = (moved[:, -1:] > 0.5).to(chips.dtype)
    views = moved[:, :-1] / moved[:, -1:].clamp(min=0.5)  # zeros of invalid neighbours do not darken the border
    return _light(views, seen, config, generator) * seen, seen


def _crops(count: int, config: PretrainConfig, generator: Generator) -> Tensor:
    """Matrices (N, 2, 3) of random crops, each turned by a quarter and perhaps mirrored."""

    def draw(low: float, high: float) -> Tensor:
        return torch.empty(count).uniform_(low, high, generator=generator)

    side = torch.sqrt(draw(config.crop_area, 1.0))
    stretch = torch.exp(draw(-config.crop_aspect, config.crop_aspect))
    width, height = (side * stretch).clamp(max=1.0), (side / stretch).clamp(max=1.0)
    column, row = draw(-1.0, 1.0) * (1 - width), draw(-1.0, 1.0) * (1 - height)
    angle = torch.randint(0, 4, (count,), generator=generator) * (math.pi / 2)
    mirror = torch.randint(0, 2, (count,), generator=generator) * 2 - 1
    cosine, sine = torch.cos(angle), torch.sin(angle)
    first = torch.stack([width * cosine * mirror, -width * sine, column], dim=1)
    second = torch.stack([height * sine * mirror, height * cosine, row], dim=1)
    return torch.stack([first, second], dim=1)


def _light(views: Tensor, seen: Tensor, config: PretrainConfig, generator: Generator) -> Tensor:
    """Change contrast, brightness, the level of every band, and sharpness."""
    count, bands = views.shape[:2]

    def draw(channels: int = 1) -> Tensor:
        values = torch.rand(count, channels, 1, 1, generator=generator) * 2 - 1
        return values.to(views.device)

    gain, contrast, offset = 1 + config.jitter * draw(), 1 + config.jitter * draw(), config.jitter * draw()
    level = config.band_jitter * torch.randn(count, bands, 1, 1, generator=generator).to(views.device)
    mean = (views * seen).sum(dim=(2, 3), keepdim=True) / seen.sum(dim=(2, 3), keepdim=True).clamp(min=1.0)
    changed = (views - mean) * contrast + mean * gain + offset + level
    smooth = F.avg_pool2d(F.pad(changed, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    blurred = (torch.rand(count, 1, 1, 1, generator=generator) < config.blur_share).to(views.device)
    return torch.where(blurred, smooth, changed)
