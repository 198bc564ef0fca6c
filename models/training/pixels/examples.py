"""Labelled pixels as rows of a fit: their features and codes, alike from full masks, polygons and points."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.arrays import Codes, Matrix
from models.card import IGNORE
from models.encoders.frozen import FrozenFeatures
from models.training.pixels.head import PixelFeatures, PixelScaling

PIXELS = 50
"""Of each class in each window, at random: neighbours say the same, and a class that fills an image must not drown one
that fills a corner."""

SCALED_BY = 500
"""Cells of each stage and image that mean and deviation are taken from."""

LEAST_DEVIATION = 1e-4

FULL = 0.5
"""Share of labelled pixels from which a window tells how common classes are: points and single outlines do not."""


class PixelExamples(NamedTuple):
    """Labelled pixels of one task."""

    features: Matrix
    """(n, D) as `PixelFeatures.at` answers them."""
    codes: NDArray[np.int64]
    """(n,), 0 = background."""
    groups: NDArray[np.int64]
    """Number of the sample that each lies in, (n,)."""
    stand_for: NDArray[np.float32]
    """Pixels of its window that each stands for, (n,); 0 where the window is not `FULL`."""

    def only(self, rows: NDArray[np.int64]) -> "PixelExamples":
        """Those of some rows, in their order."""
        return PixelExamples(self.features[rows], self.codes[rows], self.groups[rows], self.stand_for[rows])


def fit_pixel_scaling(network: FrozenFeatures, images: Sequence[NDArray[np.float32]]) -> PixelScaling:
    """Mean and deviation of each channel over cells of images (C, H, W), H and W multiples of the network's stride."""
    rng = np.random.default_rng(0)
    found: list[list[Matrix]] = []
    for image in images:
        with torch.inference_mode():
            stages = network.stage_maps(torch.from_numpy(image[None]))
        cells = [stage[0].flatten(1).T.numpy() for stage in stages]
        found.append([rows[rng.permutation(len(rows))[:SCALED_BY]] for rows in cells])
    joined = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    mean = np.concatenate([rows.mean(axis=0, dtype=np.float64) for rows in joined])
    deviation = np.concatenate([rows.std(axis=0, dtype=np.float64) for rows in joined])
    return PixelScaling(mean.astype(np.float32), np.where(deviation < LEAST_DEVIATION, 1, deviation).astype(np.float32))


def pick_pixels(codes: Codes, rng: np.random.Generator, most: int = PIXELS) -> NDArray[np.int64]:
    """Flat numbers of labelled pixels of a window (H, W): of each code `most` at random, all where there are fewer."""
    flat = codes.ravel()
    known = np.flatnonzero(flat != IGNORE)
    picked = [np.empty(0, np.int64)]
    for code in np.unique(flat[known]).tolist():
        members = known[flat[known] == code]
        picked.append(rng.choice(members, most, replace=False) if len(members) > most else members)
    return np.concatenate(picked)


def gather_pixels(
    features: PixelFeatures,
    stages: Sequence[Tensor],
    codes: Codes,
    group: int,
    rng: np.random.Generator,
    scale: int = 1,
) -> PixelExamples:
    """Some labelled pixels of a window.

    Args:
        features: Standardises the stages.
        stages: Of the window, (1, C_i, H / s_i, W / s_i) each, perhaps padded at the bottom and right.
        codes: Of the window, (H, W); 255 says nothing.
        group: Number of its sample.
        rng: Picks pixels.
        scale: Codes for each pixel of the image along each side.
    """
    picked = pick_pixels(codes, rng)
    rows, columns = (torch.from_numpy(part) for part in np.divmod(picked, codes.shape[1]))
    with torch.inference_mode():
        values = features.at(stages, rows, columns, scale)
    found = codes.ravel()[picked].astype(np.int64)
    stand_for = np.zeros(len(picked), np.float32)
    if (codes != IGNORE).mean() >= FULL:
        stand_for += (np.bincount(codes.ravel(), minlength=256) / np.bincount(found, minlength=256).clip(1))[found]
    return PixelExamples(values, found, np.full(len(picked), group, np.int64), stand_for)


def joined_examples(parts: Sequence[PixelExamples]) -> PixelExamples:
    """All of them; of no parts an empty one."""
    parts = [some for some in parts if len(some.codes)]
    if not parts:
        nothing = np.empty(0, np.int64)
        return PixelExamples(np.empty((0, 0), np.float32), nothing, nothing, np.empty(0, np.float32))
    return PixelExamples(*(np.concatenate(values) for values in zip(*parts, strict=True)))
