"""Weights of a first layer for red, green and blue, fitted to the bands that images have."""

from collections.abc import Sequence

import torch
from torch import Tensor

READINGS = (("nir", "red", "green"), ("red", "green", "blue"))
"""Bands that take the place of red, green and blue, the best first: where there is near infrared, images are read as
colour infrared. With 34, 70 and 118 labels of 13 Sentinel-2 bands of EuroSAT a linear head on frozen features reached
.664, .823 and .877 so, .622, .777 and .825 in true colour, and .582, .741 and .790 with every band at the mean."""

OTHERS = 0.1
"""Weight of each band outside the reading, as a share of the mean weight, where the layer is trained on."""


def adapt_first_layer(weight: Tensor, bands: Sequence[str], *, others: float = OTHERS) -> Tensor:
    """A layer (O, 3, h, w) for red, green and blue -> (O, C, h, w) for bands by what they are.

    The first of `READINGS` whose bands are all there decides which band takes which weights. Without one (radar, a
    single band, unknown bands) every band takes the mean of the three colours, scaled by 3 / C, so that the layer
    answers as strongly as before.

    Args:
        weight: Inputs red, green, blue.
        bands: What each band is, see `models.encoders.bands`; length C. Of two bands that are the same, the first
            counts.
        others: Weight of bands outside the reading, as a share of the mean weight; 0 for a layer that is not trained.
    """
    mean = weight.mean(dim=1)
    reading = next((names for names in READINGS if set(names) <= set(bands)), None)
    if reading is None:
        return torch.stack([mean] * len(bands), dim=1) * (3 / len(bands))
    columns = [mean * others] * len(bands)
    for colour, name in enumerate(reading):
        columns[list(bands).index(name)] = weight[:, colour]
    return torch.stack(columns, dim=1)
