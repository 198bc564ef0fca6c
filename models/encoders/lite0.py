"""EfficientNet-Lite0 (Tan & Le 2019, arXiv:1905.11946) under timm's names, without timm.

Importing timm takes eight seconds of one core, which a round that only describes images need not wait for.
"""

from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORM_EPS = 1e-3

BLOCKS = (  # repeats, kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000


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


class NormAct(nn.BatchNorm2d):
    """Batch normalisation, then clipping to 0..6 where asked for."""

    def __init__(self, channels: int, *, clipped: bool) -> None:
        super().__init__(channels, eps=BATCH_NORM_EPS)
        self.act: nn.Module = nn.ReLU6() if clipped else nn.Identity()

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        normalised: Tensor = self.act(super().forward(input))
        return normalised


class Block(nn.Module):
    """An inverted residual block; without expansion, a depthwise separable one."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.has_skip = stride == 1 and inputs == outputs
        if expansion > 1:
            self.conv_pw = convolution(inputs, inner, 1)
            self.bn1 = NormAct(inner, clipped=True)
            self.conv_dw = convolution(inner, inner, kernel, stride, groups=inner)
            self.bn2 = NormAct(inner, clipped=True)
            self.conv_pwl = convolution(inner, outputs, 1)
            self.bn3 = NormAct(outputs, clipped=False)
        else:
            self.conv_dw = convolution(inner, inner, kernel, stride, groups=inner)
            self.bn1 = NormAct(inner, clipped=True)
            self.conv_pw = convolution(inner, outputs, 1)
            self.bn2 = NormAct(outputs, clipped=False)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, outputs, H / stride, W / stride)."""
        value = input
        for layer in self.children():  # in the order in which they were set
            value = layer(value)
        return value + input if self.has_skip else value


class Lite0(nn.Module):
    """The layers of timm's `tf_efficientnet_lite0` in timm's order; images have sides that are multiples of 32."""

    def __init__(self, bands: int = 3) -> None:
        super().__init__()
        self.conv_stem = convolution(bands, STEM, 3, 2)
        self.bn1 = NormAct(STEM, clipped=True)
        self.blocks = nn.Sequential()
        channels = STEM
        for repeats, kernel, stride, expansion, outputs in BLOCKS:
            stage = nn.Sequential()
            for repeat in range(repeats):
                stage.append(Block(channels, outputs, kernel, stride if repeat == 0 else 1, expansion))
                channels = outputs
            self.blocks.append(stage)
        self.conv_head = convolution(channels, HEAD, 1)
        self.bn2 = NormAct(HEAD, clipped=True)
        self.classifier = nn.Linear(HEAD, CLASSES)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias, padded so that the output has 1 / `stride` of the side."""
    if stride == 1:
        return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    return SamePadConv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
