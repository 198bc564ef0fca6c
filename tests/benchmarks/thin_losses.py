"""Losses for thin and rare things, to be compared with that of rounds (`models.tasks.segmentation.network`)."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.card import IGNORE
from models.tasks.segmentation.network import SegmentationLoss, SkeletonRecallLoss

MISSED, FALSE = 0.7, 0.3
"""Weights of Tversky's index for what is missed and what is wrongly answered."""
FOCUS = 2.0
THINNINGS = 5


class Unweighted(SegmentationLoss):
    """Cross-entropy of all pixels alike, and Dice."""

    def __init__(self, counts: NDArray[np.int64]) -> None:
        super().__init__(counts)
        self.weight.fill_(1.0)


class FocalTversky(SegmentationLoss):
    """Focal cross-entropy (Lin et al. 2017, arXiv:1708.02002) and Tversky's index (Salehi et al. 2017, 1706.05721)."""

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """As `SegmentationLoss.forward`."""
        known = codes != IGNORE
        if not known.any():
            return logits.sum() * 0.0
        entropy = F.cross_entropy(logits, codes, ignore_index=IGNORE, reduction="none")[known]
        focal = ((1 - (-entropy).exp()) ** FOCUS * entropy).mean()
        likely = logits.softmax(dim=1).movedim(1, -1)[known]
        truth = F.one_hot(codes[known], logits.shape[1]).to(likely.dtype)
        right = (likely * truth).sum(dim=0)
        index = right / (
            right + MISSED * (truth - likely * truth).sum(0) + FALSE * (likely - likely * truth).sum(0) + 1
        )
        return 4 * focal + 1 - index[truth.sum(dim=0) > 0].mean()


class ClDice(SegmentationLoss):
    """The loss of rounds and soft clDice of the first class (Shit et al. 2021, arXiv:2003.07311)."""

    def forward(self, logits: Tensor, codes: Tensor) -> Tensor:
        """As `SegmentationLoss.forward`."""
        likely, truth = logits.softmax(dim=1)[:, 1:2], (codes == 1)[:, None].to(logits.dtype)
        thin, true_thin = _thinned(likely), _thinned(truth)
        precision = ((thin * truth).sum() + 1) / (thin.sum() + 1)
        recall = ((true_thin * likely).sum() + 1) / (true_thin.sum() + 1)
        return super().forward(logits, codes) + 1 - 2 * precision * recall / (precision + recall)


LOSSES = {
    "rounds": SegmentationLoss,
    "unweighted": Unweighted,
    "focal-tversky": FocalTversky,
    "cldice": ClDice,
    "skeleton-recall": SkeletonRecallLoss,
}


def _thinned(image: Tensor) -> Tensor:
    """Soft skeleton of (N, 1, H, W)."""

    def eroded(value: Tensor) -> Tensor:
        across, down = (-F.max_pool2d(-value, size, 1, pad) for size, pad in (((3, 1), (1, 0)), ((1, 3), (0, 1))))
        return torch.minimum(across, down)

    def opened(value: Tensor) -> Tensor:
        return F.max_pool2d(eroded(value), 3, 1, 1)

    skeleton = F.relu(image - opened(image))
    for _ in range(THINNINGS):
        image = eroded(image)
        rest = F.relu(image - opened(image))
        skeleton = skeleton + F.relu(rest - skeleton * rest)
    return skeleton
