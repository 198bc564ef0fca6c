"""Weights of a first layer for red, green and blue, fitted to the bands that images have."""

from collections.abc import Sequence

import torch
from torch import Tensor

COLOURS = ("red", "green", "blue")
"""Order of the inputs of a layer that was trained on photographs."""


def adapt_first_layer(weight: Tensor, bands: Sequence[str]) -> Tensor:
    """A layer (O, 3, h, w) for red, green and blue -> (O, C, h, w) for bands by what they are.

    A colour gets its own weights, and any other band the mean of the three. All are scaled by 3 / C, so that the layer
    answers as strongly as before; red, green and blue in any order are left as they are.

    Args:
        weight: Inputs in the order of `COLOURS`.
        bands: What each band is, see `models.encoders.bands`; length C.
    """
    mean = weight.mean(dim=1)
    columns = [weight[:, COLOURS.index(band)] if band in COLOURS else mean for band in bands]
    return torch.stack(columns, dim=1) * (3 / len(bands))
