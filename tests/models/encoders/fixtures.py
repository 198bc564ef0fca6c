"""Statistics and images for tests of encoders."""

import torch
from torch import Tensor
from torch.nn import functional as F

from models.card import BandStatistics


def statistics(bands: int, low: float = 10.0, high: float = 240.0) -> BandStatistics:
    """The same statistics for each band."""
    return BandStatistics(low=[low] * bands, high=[high] * bands, mean=[0.4] * bands, std=[0.2] * bands, samples=10)


def photograph(count: int, bands: int, height: int, width: int) -> Tensor:
    """Smooth random images of values 0 to 255; the sides are multiples of 8."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(0, 256, (count, bands, height // 8, width // 8), generator=generator).float()
    return F.interpolate(coarse, (height, width), mode="bilinear")
