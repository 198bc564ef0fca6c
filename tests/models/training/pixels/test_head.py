"""Logits at each stage's own resolution are those of a linear head on features of the same pixels."""

import numpy as np
import pytest
import torch

from models.heads.linear_head import Head
from models.training.pixels.head import PixelFeatures, PixelHead, PixelScaling

CHANNELS = (3, 4, 2)


def features(strides: tuple[int, ...]) -> tuple[PixelFeatures, list[torch.Tensor]]:
    rng = np.random.default_rng(0)
    size = sum(CHANNELS)
    scaling = PixelScaling(rng.normal(size=size).astype(np.float32), rng.uniform(0.5, 2, size).astype(np.float32))
    stages = [
        torch.from_numpy(rng.normal(0, 4, (1, channels, 64 // stride, 96 // stride)).astype(np.float32))
        for channels, stride in zip(CHANNELS, strides, strict=True)
    ]
    return PixelFeatures(scaling, CHANNELS, strides), stages


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("strides", [(4, 8, 32), (2, 4, 16), (1, 2, 2)])
def test_head_answers_each_pixel_from_its_features(strides: tuple[int, ...], scale: int) -> None:
    known, stages = features(strides)
    weights = np.random.default_rng(1).normal(size=(sum(CHANNELS) + 1, 3)).astype(np.float32)
    rows, columns = torch.tensor([0, 3, 63, 31, 17]), torch.tensor([0, 5, 95, 0, 88])
    with torch.inference_mode():
        logits = PixelHead(known, Head(weights=weights), scale)(known(stages))
        values = known.at(stages, rows, columns, scale)
    assert logits.shape == (1, 3, scale * 64, scale * 96)
    expected = logits[0][:, rows, columns].T.numpy()
    np.testing.assert_allclose(values @ weights[:-1] + weights[-1], expected, atol=1e-4)


def test_stages_weigh_alike_and_far_values_are_cut() -> None:
    known, stages = features((4, 8, 32))
    scaled = known([stage * 1e6 for stage in stages])
    lengths = [float(stage.square().sum(dim=1).max()) for stage in scaled]
    np.testing.assert_allclose(lengths, 25 / 3, rtol=1e-4)
