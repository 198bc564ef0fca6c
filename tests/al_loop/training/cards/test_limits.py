"""Limits of a version, from what is known of it."""

import msgspec
import pytest

from al_loop.domain.round_reports import Measured
from al_loop.domain.version_cards import CardClass, CardTask
from al_loop.training.cards.licences import OWN, licences_of
from al_loop.training.cards.limits import limits_of
from models.card import ModelCard, ModelConfig, TrainingData
from models.registry import read_card
from tests.models.training.fixtures import TrainedRun

DATA = TrainingData(
    images=40, reserve_images=40, sensor="rgb", value_types=["uint8"], width_px=[64, 64], height_px=[64, 64],
    ground_sampling_m=None, classes=[], footprints=[[1.0, 2.0, 1.1, 2.1]], footprints_left_out=0, without_place=0,
)  # fmt: skip
VALUE = Measured(value=0.9, low=0.8, high=1.0)


@pytest.fixture
def card(trained_run: TrainedRun) -> ModelCard:
    return msgspec.structs.replace(read_card(trained_run.out), band_kinds=["red", "green", "blue"])


def task(**changes: object) -> CardTask:
    fields = {
        "task": "classification", "metric": "accuracy", "class_metric": "recall", "value": VALUE, "baseline": 0.5,
        "samples": 100, "places": 20, "calibration_error": 0.02, "temperature": 1.0, "by_place": [],
        "classes": [CardClass(name="a", training=50, reserve=40, value=VALUE)],
    }  # fmt: skip
    return CardTask(**(fields | changes))  # type: ignore[arg-type]


def test_good_version_still_says_where_it_holds(card: ModelCard) -> None:
    told = limits_of(card, DATA, [task()])
    assert len(told) == 2
    assert "within the area of the map" in told[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": None}, "was not measured"),
        ({"samples": 5}, "5 images only"),
        ({"places": 1}, "in one place"),
        ({"places": 3}, "in 3 places"),
        ({"baseline": 0.85}, "is not shown"),
        ({"calibration_error": 0.3}, "off by 0.30"),
        ({"classes": [CardClass(name="a", training=3, reserve=1, value=VALUE)]}, "few training images show a (3)"),
        ({"classes": [CardClass(name="a", training=0, reserve=1, value=VALUE)]}, "no training image shows a"),
        ({"classes": [CardClass(name="a", training=9, reserve=0, value=None)]}, "the test reserve shows no a"),
    ],
)
def test_every_weakness_is_a_sentence(card: ModelCard, changes: dict[str, object], said: str) -> None:
    assert any(said in sentence for sentence in limits_of(card, DATA, [task(**changes)]))


def test_what_is_not_known_is_said(card: ModelCard) -> None:
    old = msgspec.structs.replace(card, band_kinds=None)
    assert any("was not recorded" in sentence for sentence in limits_of(old, None, []))
    odd = msgspec.structs.replace(card, band_kinds=["red", "unknown", "blue"])
    nowhere = msgspec.structs.replace(DATA, footprints=[], sensor=None, without_place=40)
    told = " ".join(limits_of(odd, nowhere, []))
    for said in ("What band 2 shows is unknown", "no place on Earth", "The sensor was not named"):
        assert said in told


def test_licences_tell_where_weights_started(card: ModelCard) -> None:
    def of(**model: object) -> str:
        changed = msgspec.structs.replace(card, model=ModelConfig(**model))  # type: ignore[arg-type]
        return licences_of(changed)[0]

    assert "Apache-2.0" in of()
    assert "random weights" in of(encoder="resnet10_narrow")
    assert "timm" in of(encoder="resnet18", pretrained=True)
    assert "is not known" in of(encoder="resnet18", pretrained_file="/x.safetensors")
    assert "ssl-2" in licences_of(msgspec.structs.replace(card, trained_from="ssl-2"))[0]
    assert licences_of(card)[-1] == OWN
