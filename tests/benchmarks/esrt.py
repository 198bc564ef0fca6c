"""The tutorials' recipe for super-resolution, built anew and small: ESRT (Lu et al. 2022, arXiv:2108.11084).

Use case B of EOTDL trains ESRT with 32 channels and one block: three blocks that treat high and low frequencies apart,
then attention over patches of 3 x 3 in four groups. Values are cut to 0 to 1, the loss is the mean absolute error,
AdamW has a constant rate of 3e-4 and batches of 16. There is no bicubic skip. The attention cuts its groups by the
number of pixels, so a graph of it has one size.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATE, DECAY, BATCH = 3e-4, 1e-4, 16
_FEATURES = 32
_HEADS = 8
_GROUPS = 4


class _Scaled(nn.Module):
    """A branch times a learned number, from 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, values: Tensor) -> Tensor:
        return values * self.weight


class _Channels(nn.Module):
    """Attention over channels."""

    def __init__(self) -> None:
        super().__init__()
        narrow = _FEATURES // 16
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(_FEATURES, narrow, 1), nn.ReLU(), nn.Conv2d(narrow, _FEATURES, 1),
            nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, values: Tensor) -> Tensor:
        return values * self.layers(values)


class _Unit(nn.Module):
    """Two narrow residual units, joined and weighed."""

    def __init__(self) -> None:
        super().__init__()
        half = _FEATURES // 2
        self.narrow = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(_FEATURES, half, 3, padding=1), nn.PReLU(half), nn.Conv2d(half, _FEATURES, 3, padding=1)
            )
            for _ in range(2)
        )
        self.join = nn.Sequential(nn.Conv2d(2 * _FEATURES, _FEATURES, 1, bias=False), nn.ReLU(), _Channels())
        self.last = nn.Sequential(nn.Conv2d(_FEATURES, _FEATURES, 3, padding=1, bias=False), nn.ReLU())
        self.scales = nn.ModuleList(_Scaled() for _ in range(8))

    def forward(self, values: Tensor) -> Tensor:
        first = self.scales[0](values) + self.scales[1](self.narrow[0](values))
        second = self.scales[2](first) + self.scales[3](self.narrow[1](first))
        joined = self.join(torch.cat([self.scales[4](second), self.scales[5](first)], dim=1))
        return self.scales[6](values) + self.scales[7](self.last(joined))


class _Frequencies(nn.Module):
    """Low frequencies at half the size, five times through one unit, and what the mean over 2 x 2 px leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.entry, self.low, self.high, self.exit = (_Unit() for _ in range(4))
        self.join = nn.Sequential(nn.Conv2d(2 * _FEATURES, _FEATURES, 1, bias=False), nn.ReLU(), _Channels())

    def forward(self, values: Tensor) -> Tensor:
        size = values.shape[-2:]
        entered = self.entry(values)
        low = F.avg_pool2d(entered, 2)
        rest = entered - F.interpolate(low, size=size, mode="bilinear", align_corners=True)
        for _ in range(5):
            low = self.low(low)
        wide = F.interpolate(low, size=size, mode="bilinear", align_corners=True)
        return self.exit(self.join(torch.cat([wide, self.high(rest)], dim=1))) + values


class _Attention(nn.Module):
    """Attention over patches of 3 x 3 px, in four groups of consecutive pixels."""

    def __init__(self) -> None:
        super().__init__()
        size = 9 * _FEATURES
        self.before, self.after = nn.LayerNorm(size), nn.LayerNorm(size)
        self.reduce, self.grow = nn.Linear(size, size // 2, bias=False), nn.Linear(size // 2, size)
        self.three = nn.Linear(size // 2, 3 * size // 2, bias=False)
        self.last = nn.Sequential(nn.Linear(size, size // 4), nn.ReLU(), nn.Linear(size // 4, size))

    def forward(self, values: Tensor) -> Tensor:
        height, width = values.shape[-2:]
        rows = F.unfold(values, 3, padding=1).transpose(1, 2)
        rows = rows + self._attend(self.before(rows))
        rows = rows + self.last(self.after(rows))
        return F.fold(rows.transpose(1, 2), (height, width), 3, padding=1)

    def _attend(self, rows: Tensor) -> Tensor:
        reduced = self.reduce(rows)
        count, length, size = reduced.shape
        parts = self.three(reduced).view(count, length, 3, _HEADS, size // _HEADS).permute(2, 0, 3, 1, 4)
        group = math.ceil(length / _GROUPS)
        answers = [
            F.scaled_dot_product_attention(*(part[:, :, start : start + group] for part in parts))
            for start in range(0, length, group)
        ]
        joined = torch.cat(answers, dim=2).transpose(1, 2).reshape(count, length, size)
        grown: Tensor = self.grow(joined)
        return grown


def _upsampler(factor: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(int(math.log2(factor))):
        layers += [nn.Conv2d(_FEATURES, 4 * _FEATURES, 3, padding=1), nn.PixelShuffle(2)]
    return layers


class Esrt(nn.Module):
    """Scaled images (N, C, H, W) -> (N, C, f H, f W)."""

    def __init__(self, bands: int, factor: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(bands, _FEATURES, 3, padding=1)
        self.frequencies = nn.ModuleList(_Frequencies() for _ in range(3))
        self.reduce = nn.Conv2d(3 * _FEATURES, _FEATURES, 3, padding=1)
        self.attention = _Attention()
        self.smooth = nn.Conv2d(_FEATURES, _FEATURES, 3, padding=1)
        self.scales = nn.ModuleList(_Scaled() for _ in range(2))
        self.body = nn.Conv2d(_FEATURES, _FEATURES, 3, padding=1)
        self.tail = nn.Sequential(*_upsampler(factor), nn.Conv2d(_FEATURES, bands, 3, padding=1))
        self.skip = nn.Sequential(*_upsampler(factor), nn.Conv2d(_FEATURES, bands, 3, padding=1))

    def forward(self, images: Tensor) -> Tensor:
        entered = self.head(images.clamp(0.0, 1.0))
        outputs, values = [], entered
        for block in self.frequencies:
            values = block(values)
            outputs.append(values)
        attended = self.smooth(self.attention(self.reduce(torch.cat(outputs, dim=1))))
        body = self.scales[0](entered) + self.scales[1](attended)
        enlarged: Tensor = self.tail(self.body(body)) + self.skip(entered)
        return enlarged
