"""Regression with torch: a linear head on the embedding, and the likelihood of a normal distribution."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import TrainConfig
from models.tasks.network import EncodedImages, EncoderShape
from tests.models.tasks.regression.task import Regression, spread

HEAD = "regressor"


class RegressionHead(nn.Module):
    """Mean and logarithm of the variance, (N, 2)."""

    def __init__(self, shape: EncoderShape, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(shape.embedding_size, outputs)

    def forward(self, encoded: EncodedImages) -> Tensor:
        mean, variance = self.linear(encoded.embedding).split(1, dim=1)
        return torch.cat([mean, variance.clamp(-8.0, 8.0)], dim=1)


class RegressionLoss(nn.Module):
    """Negative log-likelihood of the labelled rows, as if all labels had a variance of 1."""

    def __init__(self, counts: NDArray[np.float64]) -> None:
        super().__init__()
        self.variance = spread(counts)

    def forward(self, logits: Tensor, numbers: Tensor) -> Tensor:
        known = ~numbers.isnan()
        if not known.any():
            return logits.sum() * 0.0
        mean, log_variance = logits[known].unbind(dim=1)
        error = (numbers[known] - mean) ** 2
        return ((error / log_variance.exp() + log_variance) / 2).mean() + error.mean() / self.variance


def head(task: Regression, shape: EncoderShape) -> nn.Module:
    return RegressionHead(shape, task.outputs)


def loss(task: Regression, counts: NDArray[np.float64], train: TrainConfig) -> nn.Module:
    return RegressionLoss(counts)


def probabilities(task: Regression, logits: Tensor, temperature: float) -> Tensor:
    return logits
