"""Segmentation with torch: a U-Net decoder, cross-entropy and Dice over the labelled pixels. See `TaskNetwork`."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import IGNORE, TrainConfig
from models.tasks.network import EncodedImages, EncoderShape, balanced_weights
from models.tasks.segmentation.task import Segmentation

HEAD = "decoder"

DECODER_CHANNELS = {16: 96, 8: 64, 4: 48, 2: 32}
"""Channels of the decoder at each stride. It ends at stride 2 and its logits are interpolated: the full resolution
would cost as much as all the rest."""


class SegmentationDecoder(nn.Module):
    """U-Net decoder on the encoder's stages (Ronneberger et al. 2015, arXiv:1505.04597)."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int], codes: int, output_scale: int = 1) -> None:
        # here: importing it takes seconds, and heads on frozen features have no decoder
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock

        super().__init__()
        self.strides, self.output_scale = list(strides), output_scale
        skips = dict(zip(strides[:-1], channels[:-1], strict=True))
        self.skip_strides = [stride for stride in DECODER_CHANNELS if stride < strides[-1]]
        blocks, last = [], channels[-1]
        for stride in self.skip_strides:
            blocks.append(UnetDecoderBlock(last, skips.get(stride, 0), DECODER_CHANNELS[stride]))
            last = DECODER_CHANNELS[stride]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Conv2d(last, codes, kernel_size=3, padding=1)

    def forward(self, encoded: EncodedImages) -> Tensor:
        """Logits (N, K + 1, S H, S W); see `TaskNetwork.head`."""
        stages, height, width = encoded.stages, encoded.height, encoded.width
        skips = dict(zip(self.strides[:-1], stages[:-1], strict=True))
        features = stages[-1]
        for stride, block in zip(self.skip_strides, self.blocks, strict=True):
            features = block(features, height // stride, width // stride, skip_connection=skips.get(stride))
        size = self.output_scale * height, self.output_scale * width
        return F.interpolate(self.head(features), size=size, mode="bilinear")


class SegmentationLoss(nn.Module):
    """Weighted cross-entropy plus soft Dice over the batch, both over the pixels that say something."""

    def __init__(self, counts: NDArray[np.int64]) -> None:
        super().__init__()
        self.register_buffer("weight", torch.as_tensor(balanced_weights(counts)))
        self.weight: Tensor

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            logits: (N, K + 1, H, W), H and W of the maps.
            codes: (N, H, W) int64; 255 = no loss.
        """
        known = codes != IGNORE
        if not known.any():
            return logits.sum() * 0.0
        entropy = F.cross_entropy(logits, codes, self.weight, ignore_index=IGNORE)
        pixels = logits.movedim(1, -1)[known]  # Shape: (pixels, K + 1)
        truth = F.one_hot(codes[known], logits.shape[1]).to(pixels.dtype)
        likely = pixels.softmax(dim=1)
        overlap, total = (likely * truth).sum(dim=0), (likely + truth).sum(dim=0)
        present = truth.sum(dim=0) > 0
        dice = 1.0 - (2.0 * overlap[present] / total[present].clamp(min=1.0)).mean()
        return entropy + dice


class SkeletonRecallLoss(SegmentationLoss):
    """`SegmentationLoss` plus the share of each class's skeleton, drawn 3 px wide, that the answer misses.

    Skeleton Recall, Kirchhoff et al. 2024, arXiv:2404.03010.

    A gap in a thin region costs as much as the part of its length that is missing, however few pixels that is.
    """

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """See `SegmentationLoss.forward`."""
        plain = super().forward(logits, codes)
        tubes = torch.from_numpy(skeleton_tubes(codes.cpu().numpy(), logits.shape[1])).to(logits)
        length = tubes.sum(dim=(0, 2, 3))
        present = length > 0
        if not present.any():
            return plain
        found = (logits.softmax(dim=1) * tubes).sum(dim=(0, 2, 3))
        return plain + 1.0 - (found[present] / length[present]).mean()


def skeleton_tubes(codes: NDArray[np.int64], outputs: int) -> NDArray[np.bool_]:
    """The middle of the regions of each class, 3 px wide, but nowhere outside of them.

    Args:
        codes: (N, H, W), 0 the background; 255 = unknown.
        outputs: K + 1.

    Returns:
        (N, K + 1, H, W); none of the background.
    """
    from skimage.morphology import dilation, footprint_rectangle, skeletonize  # here: it takes half a second

    tubes = np.zeros((len(codes), outputs, *codes.shape[1:]), bool)
    for number, image in enumerate(codes):
        for code in np.unique(image[(image > 0) & (image != IGNORE)]).tolist():
            region = image == code
            tubes[number, code] = dilation(skeletonize(region), footprint_rectangle((3, 3))) & region  # type: ignore[no-untyped-call]
    return tubes


def head(task: Segmentation, shape: EncoderShape) -> nn.Module:
    """See `TaskNetwork.head`."""
    return SegmentationDecoder(shape.channels, shape.strides, task.outputs, shape.output_scale)


def loss(task: Segmentation, counts: NDArray[np.int64], train: TrainConfig) -> nn.Module:
    """See `TaskNetwork.loss`."""
    return SkeletonRecallLoss(counts) if train.skeleton_recall else SegmentationLoss(counts)


def probabilities(task: Segmentation, logits: Tensor, temperature: float) -> Tensor:
    """They sum to 1 over axis 1."""
    return (logits / temperature).softmax(dim=1)
