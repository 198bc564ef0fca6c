"""A torch module as the plain function of arrays that calibration and evaluation ask for."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.training.data.stride import STRIDE_PX
from models.training.tallies import Infer, padded_infer


def torch_infer(module: nn.Module, device: torch.device) -> Infer:
    """Wrap a module that maps (N, C, H, W) to named outputs; it is moved to the device and run in evaluation mode."""
    module = module.to(device)

    def infer(images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        module.eval()
        with torch.inference_mode():
            outputs = module(torch.from_numpy(images).to(device))
        return {name: value.float().cpu().numpy() for name, value in outputs.items()}

    return padded_infer(infer, STRIDE_PX)
