"""The shipped encoder fitted to a pool: published like any encoder, and refused where it cannot be made."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.card import ModelCard, ModelConfig
from models.encoders import multispectral, wheel
from models.encoders.shipped import shipped_weights
from models.inference.predictor import Predictor
from models.pretraining.spec import PretrainSpec
from models.registry import CARD_FILE, ModelRegistry
from models.scoring.spec import FROZEN
from tests.data.make_scene import make_scene
from tests.models.encoders.spectral_fixtures import small_networks
from tests.models.pretraining.fixtures import run_pretraining, spec_of


def images_of(folder: Path, bands: int, side: int = 32) -> list[Path]:
    return [make_scene(folder / f"{n}.tif", width=side, height=side, bands=bands, seed=n) for n in range(4)]


def frozen_spec(images: list[Path], **changes: Any) -> PretrainSpec:
    return spec_of(images, version=FROZEN, **changes)


def test_encoder_is_published_and_embeds(tmp_path: Path) -> None:
    spec = frozen_spec(images_of(tmp_path, 4), source_bands=4, bands=[1, 2, 3, 4])
    assert run_pretraining(tmp_path, msgspec.structs.replace(spec, sensor="bgr-nir")) == 0
    card = msgspec.json.decode((tmp_path / "out" / CARD_FILE).read_bytes(), type=ModelCard)
    assert (card.tasks, card.embedding_size, card.model.encoder) == ([], 448, "tf_efficientnet_lite0")
    registry = ModelRegistry(tmp_path / "encoders")
    registry.publish("imagenet-1", tmp_path / "out", card)
    image = np.random.default_rng(0).uniform(200, 3000, (4, 50, 40)).astype(np.float32)
    embedding = Predictor(registry.path("imagenet-1"), device="cpu").predict(image)["embedding"]
    assert embedding.shape == (448,)
    assert np.isfinite(embedding).all()
    assert embedding.std() > 0.01


def test_features_of_reflectances_are_joined_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = small_networks(tmp_path)
    monkeypatch.setattr(multispectral, "installed_file", lambda name, version, inside, *rest: tmp_path / inside)
    monkeypatch.setattr(multispectral.feature_source, "__defaults__", (networks,))
    spec = frozen_spec(images_of(tmp_path, 4), source_bands=4, bands=[1, 2, 3, 4])
    spec = msgspec.structs.replace(spec, sensor="bgr-nir", model=ModelConfig(multispectral="on"))
    assert run_pretraining(tmp_path, spec) == 0
    card = msgspec.json.decode((tmp_path / "out" / CARD_FILE).read_bytes(), type=ModelCard)
    assert card.embedding_size == 448 + 8
    assert "ukis-csmask 1.0.0 (blue, green, red, nir; reflectance = 0.0001 x (value + 0))" in str(card.features)


def test_sensor_that_contradicts_the_images_is_one_sentence(tmp_path: Path) -> None:
    spec = msgspec.structs.replace(frozen_spec(images_of(tmp_path, 3)), sensor="sar-vv-vh")
    assert run_pretraining(tmp_path, spec) == 2
    assert "sar-vv-vh, which has 2 bands, but the images have 3" in (tmp_path / "out" / "error.txt").read_text()


def test_missing_weights_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped_weights.cache_clear()
    monkeypatch.setattr(wheel, "VERSION", "9.9")
    assert run_pretraining(tmp_path, frozen_spec(images_of(tmp_path, 3))) == 2
    assert "9.9 is needed" in (tmp_path / "out" / "error.txt").read_text()


def test_images_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    assert run_pretraining(tmp_path, frozen_spec([tmp_path / "gone.tif"])) == 2
    assert "none of the images can be read" in (tmp_path / "out" / "error.txt").read_text()
