"""Losses of every task, masked where a sample is not labelled and balanced between classes."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.card import IGNORE
from models.training.data.label_counts import Counts

MAX_WEIGHT = 5.0
"""Cap of a class's weight against the mean: one mislabelled sample of a rare class must not steer the training."""

LABEL_SMOOTHING = 0.05

NOT_LABELLED = -1
"""Marks rows without a label for the classification task."""


def balanced_weights(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Class weights by inverse square root of the counts: between no balancing and full balancing.

    Args:
        counts: (K,) labels of each class; classes without labels get weight 0.

    Returns:
        (K,) float32 with a count-weighted mean of 1 before the cap at `MAX_WEIGHT`.
    """
    present = counts > 0
    weights = np.where(present, 1.0 / np.sqrt(np.maximum(counts, 1)), 0.0)
    weights *= counts.sum() / max(float((weights * counts).sum()), 1e-12)
    return np.minimum(weights, MAX_WEIGHT).astype(np.float32)


class TaskLoss(nn.Module):
    """Sum over tasks of the mean loss of the batch's labelled samples or pixels."""

    def __init__(self, counts: Counts, *, multi_label: bool) -> None:
        """Set the class weights.

        Args:
            counts: Of each trained task: labels of each class, shape (K,), for multi-label with the number of labelled
                samples appended, (K + 1,); pixels of each code, (K + 1,), for segmentation.
            multi_label: Whether the classes of the classification task are independent.
        """
        super().__init__()
        self.tasks = list(counts)
        self.multi_label = multi_label
        for task, values in counts.items():
            if task == "classification" and multi_label:
                positive, labelled = values[:-1], values[-1]
                weight = np.sqrt((labelled - positive) / np.maximum(positive, 1)).clip(1 / MAX_WEIGHT, MAX_WEIGHT)
            else:
                weight = balanced_weights(values)
            self.register_buffer(f"{task}_weight", torch.as_tensor(weight, dtype=torch.float32))

    def forward(self, outputs: Mapping[str, Tensor], classes: Tensor, codes: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            outputs: Logits of each task.
            classes: (N,) int64 class indices, or (N, K) float32 of 0 and 1 for multi-label; `NOT_LABELLED` in rows
                without a label.
            codes: (N, H, W) int64 segmentation codes; 255 = no loss.

        Returns:
            Scalar; 0 for a batch without labels.
        """
        losses = [outputs["embedding"].sum() * 0.0]
        for task in self.tasks:
            weight = self.get_buffer(f"{task}_weight")
            if task == "segmentation":
                losses.append(_segmentation_loss(outputs[task], codes, weight))
                continue
            labelled = (classes if classes.ndim == 1 else classes[:, 0]) != NOT_LABELLED
            if not labelled.any():
                continue
            logits, truth = outputs[task][labelled], classes[labelled]
            if self.multi_label:
                losses.append(F.binary_cross_entropy_with_logits(logits, truth, pos_weight=weight))
            else:
                losses.append(F.cross_entropy(logits, truth, weight, label_smoothing=LABEL_SMOOTHING))
        return torch.stack(losses).sum()


def _segmentation_loss(logits: Tensor, codes: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy plus soft Dice over the batch, both over the pixels that say something."""
    known = codes != IGNORE
    if not known.any():
        return logits.sum() * 0.0
    entropy = F.cross_entropy(logits, codes, weight, ignore_index=IGNORE)
    pixels = logits.movedim(1, -1)[known]  # Shape: (pixels, K + 1)
    truth = F.one_hot(codes[known], logits.shape[1]).to(pixels.dtype)
    probabilities = pixels.softmax(dim=1)
    overlap, total = (probabilities * truth).sum(dim=0), (probabilities + truth).sum(dim=0)
    present = truth.sum(dim=0) > 0
    dice = 1.0 - (2.0 * overlap[present] / total[present].clamp(min=1.0)).mean()
    return entropy + dice
