"""Networks for reflectances beside the shipped encoder: which pools they describe, and what of them is checked."""

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import onnx
import pytest
import torch

from models.card import BandStatistics, ModelConfig, Reflectance
from models.encoders import multispectral
from models.encoders.bands import band_kinds
from models.encoders.frozen import FrozenFeatures
from models.encoders.graph import frozen_graph
from models.encoders.multispectral import (
    DISTRIBUTION,
    NETWORKS,
    SHIPPED_FEATURES,
    FeatureSource,
    SpectralNetwork,
    feature_source,
    multispectral_problem,
)
from models.encoders.pool_look import PoolLook
from models.training.export import check_parity
from tests.models.encoders.fixtures import photograph
from tests.models.encoders.spectral_fixtures import small_networks

try:
    INSTALLED = distribution(DISTRIBUTION).version == multispectral.VERSION
except PackageNotFoundError:
    INSTALLED = False

ON = ModelConfig(multispectral="on")


def look(kinds: list[str], *, eight_bit: bool = False) -> PoolLook:
    return PoolLook(kinds, eight_bit, 64)


def statistics(bands: int, low: float = 200, high: float = 3000) -> BandStatistics:
    return BandStatistics(low=[low] * bands, high=[high] * bands, mean=[0.4] * bands, std=[0.2] * bands, samples=9)


S2 = band_kinds(13, "sentinel-2")


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[SpectralNetwork, ...]:
    """Small ones in the place of the package's."""
    package = SimpleNamespace(version=multispectral.VERSION, locate_file=lambda inside: tmp_path / inside)
    monkeypatch.setattr(
        "models.encoders.wheel.distribution", lambda name: package if name == DISTRIBUTION else distribution(name)
    )
    return small_networks(tmp_path)


def source(
    networks: tuple[SpectralNetwork, ...],
    kinds: list[str] = S2,
    model: ModelConfig = ON,
    sensor: str | None = None,
    **changes: float,
) -> FeatureSource:
    return feature_source(model, look(kinds), statistics(len(kinds), **changes), sensor, networks)


def test_six_bands_are_preferred_to_four(networks: tuple[SpectralNetwork, ...]) -> None:
    six, four = source(networks), source(networks, ["red", "green", "blue", "nir"])
    assert six.spectral is not None
    assert four.spectral is not None
    assert six.spectral.rows == [1, 2, 3, 7, 11, 12]  # B02, B03, B04, B08, B11, B12 of ascending bands
    assert four.spectral.rows == [2, 1, 0, 3]
    assert six.words == (
        f"{SHIPPED_FEATURES} and ukis-csmask 1.0.0 (blue, green, red, nir, swir16, swir22; "
        "reflectance = 0.0001 x (value + 0))"
    )


@pytest.mark.parametrize(
    ("model", "sensor", "value", "reflectance"),
    [
        (ON, "sentinel-2", 2500, 0.25),
        (ON, "landsat-8", 20_000, 0.35),
        (ModelConfig(multispectral="on", reflectance=Reflectance(scale=1e-4, offset=-1000)), "sentinel-2", 3500, 0.25),
        (ModelConfig(multispectral="on", reflectance=Reflectance(scale=1)), None, 0.25, 0.25),
    ],
)
def test_values_become_standardised_reflectances(
    networks: tuple[SpectralNetwork, ...], model: ModelConfig, sensor: str | None, value: float, reflectance: float
) -> None:
    found = source(networks, S2[1:8], model, sensor, low=value * 0.9, high=value).spectral
    assert found is not None
    network = networks[1]
    expected = (reflectance - np.array(network.mean)) / np.array(network.std)
    np.testing.assert_allclose(np.array(found.factor) * value + np.array(found.shift), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("kinds", "changes", "sentence"),
    [
        (["red", "green", "blue"], {}, "needs blue, green, red and nir; the models read red, green, blue"),
        (["vv", "vh"], {}, "the models read vv, vh"),
        (S2, {"low": 0.01, "high": 0.6}, "would have reflectances of 1e-06 to 6e-05"),
        (S2, {"low": 3000, "high": 40_000}, r"0.3 to 4 by reflectance = 0.0001 x \(value \+ 0\); settings.model.refl"),
    ],
)
def test_pool_that_does_not_suit_them_is_told_why(
    networks: tuple[SpectralNetwork, ...], kinds: list[str], changes: dict[str, float], sentence: str
) -> None:
    found = source(networks, kinds, **changes)
    assert found.spectral is None
    assert found.words.startswith(f"{SHIPPED_FEATURES}; ukis-csmask is not used: ")
    assert re.search(sentence, found.words)


def test_bytes_are_no_reflectances(networks: tuple[SpectralNetwork, ...]) -> None:
    found = feature_source(ON, look(S2, eight_bit=True), statistics(13, 0, 255), None, networks)
    assert found.words.endswith("ukis-csmask is not used: 8-bit values are no reflectances")


def test_they_are_used_where_they_are_asked_for_only(networks: tuple[SpectralNetwork, ...]) -> None:
    assert source(networks, model=ModelConfig()) == FeatureSource(None, SHIPPED_FEATURES)


def test_changed_file_is_refused_and_missing_package_is_said_to_be_missing(
    networks: tuple[SpectralNetwork, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / networks[0].file
    file.write_bytes(file.read_bytes() + b"x")
    assert "has been changed" in source(networks).words

    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("models.encoders.wheel.distribution", missing)
    assert source(networks).words.endswith("is not installed; install al-loop[multispectral]")
    assert "is not installed" in str(multispectral_problem())


@pytest.mark.parametrize("scale", [1, 2])
def test_graph_answers_as_the_module_with_both_networks(
    networks: tuple[SpectralNetwork, ...], tmp_path: Path, scale: int
) -> None:
    joined = FrozenFeatures(
        statistics(13), S2, eight_bit=False, scale=scale, band_statistics=True, source=source(networks)
    )
    plain = FrozenFeatures(statistics(13), S2, eight_bit=False, scale=scale, band_statistics=True)
    assert joined.embedding_size == plain.embedding_size + 8
    assert joined.stages_size == plain.stages_size + 8
    onnx.save(frozen_graph(joined), tmp_path / "model.onnx")
    chips = [10 * photograph(1, 13, side, 64)[0].numpy() for side in (64, 128)]
    assert check_parity(joined, tmp_path / "model.onnx", chips).differences["embedding"] < 1e-5
    image = torch.from_numpy(np.stack([chips[0], np.full_like(chips[0], np.nan)]))
    image[0, 4, :8] = torch.nan  # one band is missing
    both, alone = joined(image)["embedding"], plain(image)["embedding"]
    torch.testing.assert_close(both[:, :448], alone[:, :448])
    torch.testing.assert_close(both[:, 456:], alone[:, 448:])
    assert both.isfinite().all()
    assert not both[1, :456].any()


def test_settings_are_decoded_and_bounded() -> None:
    asked = {"multispectral": "on", "reflectance": {"scale": 1e-4, "offset": -1000}}
    assert msgspec.convert(asked, ModelConfig).reflectance == Reflectance(scale=1e-4, offset=-1000)
    for wrong in ({"multispectral": "yes"}, {"reflectance": {"scale": 0}}, {"reflectance": {"offset": 1}}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, ModelConfig)


@pytest.mark.skipif(not INSTALLED, reason="needs ukis-csmask 1.0.0 (145 MB): pip install al-loop[multispectral]")
@pytest.mark.parametrize("count", [13, 4])
def test_networks_of_the_package_describe_images(tmp_path: Path, count: int) -> None:
    assert multispectral_problem() is None
    kinds = band_kinds(count, "sentinel-2")
    found = source(NETWORKS, kinds, ON)
    network = FrozenFeatures(statistics(count), kinds, eight_bit=False, source=found)
    assert network.spectral_size == 32 + 56 + 112
    onnx.save(frozen_graph(network), tmp_path / "model.onnx")
    report = check_parity(network, tmp_path / "model.onnx", [10 * photograph(1, count, 64, 64)[0].numpy()])
    assert report.differences["embedding"] < 1e-4
