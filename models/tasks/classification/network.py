"""Classification with torch: a linear head on the embedding, and cross-entropy. See `TaskNetwork`."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import TrainConfig
from models.tasks.classification.task import NOT_LABELLED, Classification
from models.tasks.network import MAX_WEIGHT, EncodedImages, EncoderShape, balanced_weights
from models.tasks.task import Task

HEAD = "classifier"

LABEL_SMOOTHING = 0.05


class ClassificationHead(nn.Linear):
    """Logits (N, K) from the embedding."""

    def __init__(self, embedding_size: int, classes: int, dropout: float) -> None:
        super().__init__(embedding_size, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, encoded: EncodedImages) -> Tensor:  # type: ignore[override]  # sees more than a Linear
        """See `TaskNetwork.head`."""
        return super().forward(self.dropout(encoded.embedding))


class ClassificationLoss(nn.Module):
    """Mean over the labelled samples of a batch, balanced between classes."""

    def __init__(self, task: Classification, counts: NDArray[np.int64]) -> None:
        super().__init__()
        self.multi_label = task.multi_label
        weight: NDArray[np.floating] = balanced_weights(counts)
        if task.multi_label:
            positive, labelled = counts[:-1], counts[-1]
            weight = np.sqrt((labelled - positive) / np.maximum(positive, 1)).clip(1 / MAX_WEIGHT, MAX_WEIGHT)
        self.register_buffer("weight", torch.as_tensor(weight, dtype=torch.float32))
        self.weight: Tensor

    def forward(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            logits: (N, K).
            classes: (N,) int64 class indices, or (N, K) float32 of 0 and 1 for multi-label; `NOT_LABELLED` in rows
                without a label.
        """
        labelled = (classes if classes.ndim == 1 else classes[:, 0]) != NOT_LABELLED
        if not labelled.any():
            return logits.sum() * 0.0
        logits, truth = logits[labelled], classes[labelled]
        if self.multi_label:
            return F.binary_cross_entropy_with_logits(logits, truth, pos_weight=self.weight)
        return F.cross_entropy(logits, truth, self.weight, label_smoothing=LABEL_SMOOTHING)


def head(task: Classification, shape: EncoderShape) -> nn.Module:
    """See `TaskNetwork.head`."""
    return ClassificationHead(shape.embedding_size, task.outputs, shape.dropout)


def loss(task: Classification, counts: NDArray[np.int64], train: TrainConfig) -> nn.Module:
    """See `TaskNetwork.loss`."""
    return ClassificationLoss(task, counts)


def probabilities(task: Classification, logits: Tensor, temperature: float) -> Tensor:
    """They sum to 1 over axis 1, but for multi-label, whose classes are independent."""
    calibrated = logits / temperature
    return calibrated.sigmoid() if task.multi_label else calibrated.softmax(dim=1)


def onnx_operator(task: Task) -> tuple[str, dict[str, int]]:
    """The ONNX operator of `probabilities`, with its attributes."""
    return ("Sigmoid", {}) if task.multi_label else ("Softmax", {"axis": 1})


def names_one(task: Task) -> bool:
    """Whether an answer is exactly one class."""
    return not task.multi_label
