"""Licences of a version's weights: the sentence follows where its encoder started from."""

from pathlib import Path

import msgspec
import pytest

from al_loop.training.cards.licences import OWN, licences_of
from models.card import ModelCard, ModelConfig
from models.encoders.wheel import DISTRIBUTION
from models.registry import read_card
from tests.data.tiny_model import make_tiny_onnx


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    return read_card(make_tiny_onnx(tmp_path))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (ModelConfig(), DISTRIBUTION),
        (ModelConfig(encoder="test_resnet"), "The encoder test_resnet started from random weights."),
        (ModelConfig(encoder="test_resnet", pretrained=True), "timm's weights of test_resnet"),
        (ModelConfig(encoder="test_resnet", pretrained_file="/weights"), "its licence is not known"),
    ],
)
def test_start_of_the_encoder_decides(card: ModelCard, model: ModelConfig, said: str) -> None:
    start, own = licences_of(msgspec.structs.replace(card, model=model))
    assert said in start
    assert own == OWN


def test_encoder_made_from_the_campaigns_images_is_told_before_any_file(card: ModelCard) -> None:
    changed = msgspec.structs.replace(card, trained_from="encoder v3", model=ModelConfig(pretrained_file="/weights"))
    assert licences_of(changed)[0].startswith("The encoder started from encoder v3, which was made from the campaign's")


def test_features_of_others_have_a_sentence_of_their_own(card: ModelCard) -> None:
    assert "ukis-csmask" in licences_of(msgspec.structs.replace(card, features="shipped and ukis-csmask 1.0.0"))[1]
