"""The stages of the shipped architecture that describe an image best, as a torch module."""

from typing import Any

import timm
from timm.layers.conv2d_same import Conv2dSame
from torch import Tensor, nn
from torch.nn import functional as F

from models.encoders.wheel import SHIPPED_ENCODER

STAGES = (1, 2, 3, 4, 5)
"""Blocks of timm's model whose outputs are features; the last one knows too much of ImageNet's classes."""
CHANNELS = (24, 40, 80, 112, 192)
STRIDES = (4, 8, 16, 16, 32)


class SamePadConv2d(nn.Conv2d):
    """TensorFlow's "same" convolution of stride 2 for sides that are multiples of it: padding known beforehand.

    timm computes the padding from the size of each input, which an exported graph would do again at each call.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Pad and convolve (N, C, H, W), H and W even."""
        before, after = (self.kernel_size[0] - 2) // 2, (self.kernel_size[0] - 1) // 2
        return F.conv2d(
            F.pad(input, (before, after, before, after)), self.weight, self.bias, self.stride, 0, 1, self.groups
        )


class FeatureStages(nn.Module):
    """(N, C, H, W) -> the outputs of `STAGES`, (N, `CHANNELS`, H / `STRIDES`, W / `STRIDES`)."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        """Build the stages with weights under timm's names; the first layer says how many bands there are."""
        super().__init__()
        whole: Any = timm.create_model(SHIPPED_ENCODER, in_chans=weights["conv_stem.weight"].shape[1])
        whole.load_state_dict(weights)
        self.stem = nn.Sequential(whole.conv_stem, whole.bn1)
        self.blocks = nn.ModuleList(whole.blocks[: STAGES[-1] + 1])
        pad_beforehand(self)

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
