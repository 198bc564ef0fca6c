"""A torch module as the plain function of arrays that calibration and evaluation ask for."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from models.architectures import STRIDE_PX
from models.tallies import Infer


def torch_infer(module: nn.Module, device: torch.device) -> Infer:
    """Wrap a module that maps (N, C, H, W) to named outputs.

    The function pads images of any size with NaN to the stride, runs the module in evaluation mode and cuts maps back
    to the image.
    """
    module = module.to(device)

    def infer(images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        height, width = images.shape[-2:]
        padding = 0, -width % STRIDE_PX, 0, -height % STRIDE_PX
        module.eval()
        with torch.inference_mode():
            outputs = module(F.pad(torch.from_numpy(images).to(device), padding, value=torch.nan))
        return {
            name: (value[..., :height, :width] if value.ndim == 4 else value).float().cpu().numpy()
            for name, value in outputs.items()
        }

    return infer
