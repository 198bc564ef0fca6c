"""The tutorials' recipe for masks: smp U-Net from random weights, binary cross-entropy, Adam 1e-3, no augmentation."""

import time

import numpy as np
import segmentation_models_pytorch as smp
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from models.card import IGNORE

RATE = 1e-3


def fit_recipe(
    images: NDArray[np.float32], codes: NDArray[np.uint8], classes: int, seconds: float, seed: int, *, batch: int
) -> nn.Module:
    """A ResNet-18 U-Net in evaluation mode, trained for so many seconds of processor time.

    Args:
        images: (N, C, H, W), scaled as the network shall see them.
        codes: (N, H, W): 0 = background, k = k-th class, `IGNORE` = no loss.
        classes: K, an output of the network each.
        seconds: Of processor time of this process; the batch that is begun is finished.
        seed: Of the weights and the order of images.
        batch: Images in one, N at most.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = smp.Unet("resnet18", encoder_weights=None, in_channels=images.shape[1], classes=classes)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    started, order = time.process_time(), list[int]()
    while time.process_time() - started < seconds:
        if len(order) < batch:
            order = rng.permutation(len(images)).tolist()
        rows, order = order[:batch], order[batch:]
        drawn = torch.from_numpy(codes[rows]).long()
        known = drawn != IGNORE
        truth = F.one_hot(torch.where(known, drawn, 0), classes + 1)[..., 1:].permute(0, 3, 1, 2)
        logits = network(torch.from_numpy(images[rows]))
        losses = F.binary_cross_entropy_with_logits(logits, truth.float(), reduction="none")
        optimizer.zero_grad()
        (losses * known[:, None]).mean().backward()
        optimizer.step()
    evaluated: nn.Module = network.eval()
    return evaluated


def recipe_logits(network: nn.Module, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits (N, K, H, W) of images (N, C, H, W), one after another."""
    with torch.inference_mode():
        return np.concatenate([network(torch.from_numpy(image[None])).numpy() for image in images])
