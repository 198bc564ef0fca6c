"""The torch module of a version: raw band values in, logits of every task and an embedding out.

One shared timm encoder; normalisation is part of the module so that training and serving cannot drift apart.
Knows nothing of files, losses or calibration.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.card import BandStatistics, ModelConfig, TaskSpec
from models.tasks import task_kinds, tasks_of
from models.tasks.network import EncodedImages, EncoderShape, network_of
from models.training.data.statistics import CLIP
from models.training.networks.feature_encoder import build_encoder


class Normalise(nn.Module):
    """Raw values -> standardised values with zeros at invalid pixels, and the mask of valid ones."""

    def __init__(self, statistics: BandStatistics) -> None:
        super().__init__()
        for name in ("low", "high", "mean", "std"):
            values = torch.tensor(getattr(statistics, name), dtype=torch.float32)
            self.register_buffer(name, values.view(1, -1, 1, 1))
        self.low: Tensor
        self.high: Tensor
        self.mean: Tensor
        self.std: Tensor

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Standardise.

        Args:
            image: (N, C, H, W) float32 raw values; a pixel that is NaN in every band is invalid; one that
                lacks some bands is valid, and they count as their mean.

        Returns:
            Standardised image (N, C, H, W) with 0 at invalid pixels and missing bands, and valid (N, 1, H, W)
            float32 of 0 and 1.
        """
        missing = torch.isnan(image)
        invalid = missing.to(torch.float32).amin(dim=1, keepdim=True)
        filled = torch.where(missing, self.low, image)
        scaled = ((filled - self.low) / (self.high - self.low)).clamp(*CLIP)
        standardised = torch.where(missing, torch.zeros_like(scaled), (scaled - self.mean) / self.std)
        return standardised, 1.0 - invalid


class EmbeddingHead(nn.Module):
    """Encoder stages -> one vector a sample, from valid pixels only."""

    def __init__(self, channels: int, embedding_size: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels, embedding_size)
        self.norm = nn.BatchNorm1d(embedding_size)

    def forward(self, stages: Sequence[Tensor], valid: Tensor) -> Tensor:
        """Pool every stage over valid pixels, join, project.

        Args:
            stages: (N, C_i, H / s_i, W / s_i) each.
            valid: (N, 1, H, W), 0 or 1.

        Returns:
            (N, D) float32; a sample without a valid pixel pools to zeros.
        """
        pooled = [pool_valid(stage, valid) for stage in stages]
        return F.relu(self.norm(self.project(torch.cat(pooled, dim=1))))


class MultiTaskNetwork(nn.Module):
    """Normalisation, encoder, embedding and the heads of the asked tasks."""

    def __init__(
        self,
        config: ModelConfig,
        tasks: Sequence[TaskSpec],
        statistics: BandStatistics,
        bands: Sequence[str] = (),
        enlarged: int = 1,
    ) -> None:
        super().__init__()
        self.normalise = Normalise(statistics)
        self.encoder, channels, strides = build_encoder(config, statistics, bands)
        self.enlarged = enlarged if strides[0] % enlarged == 0 else 1
        self.strides = [stride // self.enlarged for stride in strides]
        self.embedding = EmbeddingHead(sum(channels), config.embedding_size)
        shape = EncoderShape(
            channels, self.strides, config.embedding_size, config.dropout, self.enlarged, config.output_scale
        )
        heads: dict[str, str] = {}
        for name, task in tasks_of(tasks).items():
            network = network_of(task)
            heads[name] = network.HEAD
            self.add_module(network.HEAD, network.head(task, shape))
        self.heads = {
            name: heads[name] for name in task_kinds() if name in heads
        }  # one order whatever the order of a campaign's tasks, so that graphs are equal

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Logits and embedding.

        Args:
            image: (N, C, H, W) float32 raw values, NaN at invalid pixels; H and W multiples of `STRIDE_PX`.

        Returns:
            Logits under the name of each task, (N, K) or (N, K, S H, S W) where S is `ModelConfig.output_scale`, and
            `embedding` (N, D).
        """
        height, width = image.shape[-2:]
        normalised, valid = self.normalise(image)
        if self.enlarged > 1:
            normalised = F.interpolate(normalised, scale_factor=self.enlarged, mode="bilinear", align_corners=False)
        stages = self.encoder(normalised)
        embedding = self.embedding(stages, valid)
        encoded = EncodedImages(stages, embedding, height, width, valid)
        return {"embedding": embedding} | {name: self.get_submodule(head)(encoded) for name, head in self.heads.items()}


def build(
    config: ModelConfig,
    tasks: Sequence[TaskSpec],
    statistics: BandStatistics,
    bands: Sequence[str] = (),
    enlarged: int = 1,
) -> MultiTaskNetwork:
    """The network of one version, on the CPU, in training mode.

    Initial weights come from torch's global generator: seed it first.

    Args:
        config: The architecture and the weights that its encoder starts from.
        tasks: Those that get a head.
        statistics: Of the pool, C bands.
        bands: What each band is, see `models.encoders.bands`; empty: what their number says.
        enlarged: How many times images are enlarged before the encoder reads them, see `Task.enlarged`.

    Raises:
        ShippedWeightsError: The shipped weights are asked for and cannot be used here.
        TrainingDataError: timm has no such encoder, it offers no feature stages, or the weight file does not fit.
    """
    return MultiTaskNetwork(config, tasks, statistics, bands, enlarged)


def pool_valid(stage: Tensor, valid: Tensor) -> Tensor:
    """Mean (N, C) of a stage (N, C, h, w), weighted by the share of valid pixels under each of its cells."""
    kernel = valid.shape[-1] // stage.shape[-1]
    weight = F.avg_pool2d(valid, kernel)
    return (stage * weight).sum(dim=(2, 3)) / weight.sum(dim=(2, 3)).clamp(min=1e-6)
