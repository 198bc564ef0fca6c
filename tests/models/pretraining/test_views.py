"""Views of a chip are turned, cropped and coloured as the settings say."""

import msgspec
import torch

from models.pretrain_config import PretrainConfig
from models.pretraining.views import random_views

STILL = PretrainConfig(crop_area=1.0, crop_aspect=0.0, jitter=0.0, band_jitter=0.0, blur_share=0.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_views_without_any_change_are_turns_of_the_chip() -> None:
    images = torch.randn(16, 3, 32, 32, generator=generator())
    views, valid = random_views(images, STILL, generator())
    assert valid.min() == 1
    torch.testing.assert_close(views.flatten(2).sort().values, images.flatten(2).sort().values, atol=1e-4, rtol=1e-4)
    assert len({tuple(view.flatten()[:3].round(decimals=3).tolist()) for view in views}) == 16


def test_views_differ_and_repeat_with_the_seed() -> None:
    images = torch.randn(4, 5, 64, 64, generator=generator())
    config = PretrainConfig()
    first, second = random_views(images, config, generator(1))[0], random_views(images, config, generator(2))[0]
    assert (first - second).abs().mean() > 0.1
    torch.testing.assert_close(first, random_views(images, config, generator(1))[0])


def test_invalid_pixels_are_zero_in_views_and_do_not_darken_their_neighbours() -> None:
    images = torch.full((8, 3, 32, 32), 2.0)
    images[:, 1, :, 16:] = torch.nan
    config = msgspec.structs.replace(STILL, crop_area=0.5)
    views, valid = random_views(images, config, generator())
    assert 0 < valid.mean() < 1
    torch.testing.assert_close(views, 2.0 * valid.expand_as(views))
