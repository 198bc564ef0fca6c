from collections.abc import Callable
from pathlib import Path

import pytest

from al_loop.domain.campaigns import CampaignSettings
from al_loop.training import installed
from models.card import ModelConfig, Reflectance
from tests.e2e.campaigns import Http, create, label_all, register, write_pool


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a serving node; what is not there has another name."""
    monkeypatch.setattr(installed, "PACKAGES", ("torch_of_nobody", "numpy"))


def test_this_installation_can_train() -> None:
    assert installed.can_train()
    installed.check_can_train()


@pytest.mark.usefixtures("without_torch")
def test_installation_that_cannot_train_says_so_and_starts_no_rounds(
    start_service: Callable[[], Http], imagery: Path
) -> None:
    http = start_service()
    write_pool(imagery, 12, size=32)
    create(http, imagery, policy={"new_labels": 2, "debounce_s": 0, "min_labels": 2, "min_reserve_labels": 2})
    register(http)
    label_all(http)
    for path in ("rounds", "pretrainings"):
        answer = http.post(f"/campaigns/demo/{path}", json={})
        assert answer.status_code == 501
        assert answer.json()["detail"] == (
            "this installation cannot train (torch_of_nobody not installed): pip install 'al-loop[train]'"
        )
    ready = http.get("/health/ready")
    assert (ready.status_code, ready.json()["problems"]) == (200, {})
    assert "pip install 'al-loop[train]'" in ready.json()["training"]
    assert http.get("/campaigns/demo/rounds").json()["rounds"] == []
    assert "cannot train" in http.get("/campaigns/demo").json()["next_round"]["sentence"]


def test_missing_weights_leave_a_small_encoder_from_random_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ModelConfig(embedding_size=64)
    monkeypatch.setattr(installed, "shipped_problem", lambda: None)
    assert installed.usable_model(asked) == (asked, None)
    monkeypatch.setattr(installed, "shipped_problem", lambda: "it is not installed")
    model, problem = installed.usable_model(asked)
    assert (model.encoder, model.embedding_size) == ("resnet10_narrow", 64)
    assert problem == (
        "resnet10_narrow is trained from random weights, since the shipped encoder cannot be used: it is not installed"
    )


def test_what_describes_images_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "shipped_problem", lambda: None)
    monkeypatch.setattr(installed, "multispectral_problem", lambda: "it is not installed")
    assert installed.installed_features() == "EfficientNet-Lite0 (ImageNet)"
    monkeypatch.setattr(installed, "multispectral_problem", lambda: None)
    assert "for Sentinel-2 and Landsat, ukis-csmask 1.0.0" in installed.installed_features()
    monkeypatch.setattr(installed, "shipped_problem", lambda: "it is not installed")
    assert installed.installed_features() == "none"


def test_other_features_of_the_pool_are_made_anew_as_after_a_change_of_its_bands() -> None:
    with_them = CampaignSettings(model=ModelConfig(multispectral="on"))
    assert CampaignSettings().reading != with_them.reading
    scaled = ModelConfig(multispectral="on", reflectance=Reflectance(scale=1))
    assert CampaignSettings(model=scaled).reading != with_them.reading
    assert CampaignSettings(model=ModelConfig(dropout=0.5)).reading == CampaignSettings().reading


@pytest.mark.parametrize("asked", [ModelConfig(encoder="net"), ModelConfig(pretrained_file="own.safetensors")])
def test_other_encoders_and_own_weights_need_no_shipped_ones(
    asked: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installed, "shipped_problem", lambda: "it is not installed")
    assert installed.usable_model(asked) == (asked, None)
