"""Frozen features: scaled as the weights were trained, of valid pixels only."""

import pytest
import timm
import torch

from models.encoders.frozen import FrozenFeatures, scale_for
from models.encoders.shipped import shipped_weights
from models.encoders.wheel import SHIPPED_ENCODER
from tests.models.encoders.fixtures import photograph, statistics


def test_embedding_is_the_mean_of_five_stages_of_the_whole_model() -> None:
    network = timm.create_model(SHIPPED_ENCODER).eval()
    network.load_state_dict(shipped_weights())
    image = photograph(2, 3, 64, 64)
    with torch.no_grad():
        value = network.bn1(network.conv_stem((image - 127) / 128))
        means = []
        for block in network.blocks[:6]:
            value = block(value)
            means.append(value.mean(dim=(2, 3)))
        embedding = FrozenFeatures(statistics(3), eight_bit=True)(image)["embedding"]
    assert embedding.shape == (2, 448)
    torch.testing.assert_close(embedding, torch.cat(means[1:], dim=1), atol=1e-4, rtol=1e-4)


def test_values_that_are_not_8_bit_are_mapped_by_the_pools_percentiles() -> None:
    image = photograph(1, 3, 32, 32)
    reflectance = image / 255 * 4000 + 500
    features = FrozenFeatures(statistics(3, 500, 4500), eight_bit=False)
    expected = FrozenFeatures(statistics(3), eight_bit=True)(image)["embedding"]
    torch.testing.assert_close(features(reflectance)["embedding"], expected, atol=1e-3, rtol=1e-3)


def test_small_chips_are_read_at_twice_their_size() -> None:
    assert [scale_for(side) for side in (28, 64, 65, 256)] == [2, 2, 1, 1]
    image = photograph(1, 3, 32, 32)
    doubled = torch.nn.functional.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
    expected = FrozenFeatures(statistics(3), eight_bit=True)(doubled)["embedding"]
    features = FrozenFeatures(statistics(3), eight_bit=True, scale=2)
    torch.testing.assert_close(features(image)["embedding"], expected, atol=1e-4, rtol=1e-4)
    assert [tuple(stage.shape[2:]) for stage in features.stage_maps(image)] == [
        (16, 16),
        (8, 8),
        (4, 4),
        (4, 4),
        (2, 2),
    ]


def test_invalid_pixels_count_nothing_and_missing_bands_as_the_mean() -> None:
    image = photograph(2, 3, 64, 64)
    image[0, :, :, 32:] = torch.nan
    features = FrozenFeatures(statistics(3), eight_bit=True, band_statistics=True)
    embedding = features(image)["embedding"]
    assert torch.isfinite(embedding).all()
    assert features.embedding_size == embedding.shape[1] == 454
    standard = (image - (10 + 0.4 * 230)) / (0.2 * 230)
    torch.testing.assert_close(embedding[0, 448:451], standard[0, :, :, :32].mean(dim=(1, 2)))
    torch.testing.assert_close(embedding[1, 451:], standard[1].std(dim=(1, 2), correction=0), atol=1e-4, rtol=1e-4)
    image[1, 2, :5] = torch.nan  # one band of some pixels
    assert torch.isfinite(features(image)["embedding"]).all()
    empty = features(torch.full((1, 3, 32, 32), torch.nan))["embedding"]
    assert not empty.any()


def test_nothing_trains() -> None:
    features = FrozenFeatures(statistics(4), ["blue", "green", "red", "nir"], eight_bit=False)
    assert not any(weight.requires_grad for weight in features.parameters())
    assert not any(module.training for module in features.train().modules())


def test_stage_maps_are_what_the_embedding_is_the_mean_of() -> None:
    image = photograph(1, 3, 64, 96)
    features = FrozenFeatures(statistics(3), eight_bit=True)
    stages = features.stage_maps(image)
    sides = [(64 // stride, 96 // stride) for stride in features.stage_strides]
    assert [tuple(stage.shape[2:]) for stage in stages] == sides
    means = torch.cat([stage.mean(dim=(2, 3)) for stage in stages], dim=1)
    torch.testing.assert_close(means, features(image)["embedding"])


def test_names_for_other_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="3 names of bands, but statistics of 4"):
        FrozenFeatures(statistics(4), eight_bit=True)
