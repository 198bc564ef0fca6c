"""The stages of the shipped architecture that describe an image best, as a torch module."""

from typing import Any

import torch
from torch import Tensor, nn

from models.encoders.lite0 import Lite0, SamePadConv2d

STAGES = (1, 2, 3, 4, 5)
"""Blocks of timm's model whose outputs are features; the last one knows too much of ImageNet's classes."""
CHANNELS = (24, 40, 80, 112, 192)
STRIDES = (4, 8, 16, 16, 32)


class FeatureStages(nn.Module):
    """(N, C, H, W) -> the outputs of `STAGES`, (N, `CHANNELS`, H / `STRIDES`, W / `STRIDES`)."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        """Build the stages with weights under timm's names, which they share; the first layer says how many bands."""
        super().__init__()
        with torch.device("meta"):  # no random weights first
            whole = Lite0(weights["conv_stem.weight"].shape[1])
        whole.load_state_dict(weights, assign=True)
        self.stem = nn.Sequential(whole.conv_stem, whole.bn1)
        self.blocks = nn.ModuleList(whole.blocks[: STAGES[-1] + 1])

    def forward(self, image: Tensor) -> list[Tensor]:
        """Outputs of the stages, shallow to deep; H and W are multiples of the last stride."""
        value = self.stem(image)
        outputs = []
        for number, block in enumerate(self.blocks):
            value = block(value)
            if number in STAGES:
                outputs.append(value)
        return outputs


def pad_beforehand(network: nn.Module) -> None:
    """Replace timm's "same" convolutions of stride 2 inside a network, whose input sides are multiples of 32."""
    from timm.layers.conv2d_same import Conv2dSame  # here: see `models.encoders.lite0`

    for module in list(network.modules()):
        child: Any
        for name, child in list(module.named_children()):
            if not isinstance(child, Conv2dSame):
                continue
            layer = SamePadConv2d(
                child.in_channels,
                child.out_channels,
                child.kernel_size[0],
                child.stride[0],
                groups=child.groups,
                bias=False,
            )
            layer.weight = child.weight
            setattr(module, name, layer)
