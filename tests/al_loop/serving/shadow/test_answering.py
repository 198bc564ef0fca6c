"""A challenger answers unseen: it slows and fails nobody, and what is too much is counted."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import Challenger
from al_loop.domain.predictions import ShownPrediction
from al_loop.serving.model_server import ModelServer
from al_loop.serving.shadow import answering
from al_loop.serving.shadow.answering import ShadowCounts, ShadowModel
from al_loop.serving.shadow.homes import StoreHome
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.inference.predictor import Predictor
from models.tasks import task_of
from tests.al_loop.store.fixtures import NOW
from tests.data.tiny_model import make_tiny_onnx
from tests.waiting import PATIENCE_S

CLASSES = ["class-1", "class-2", "class-3"]
TASKS = [TaskSpec(task="classification", classes=CLASSES), TaskSpec(task="segmentation", classes=CLASSES)]
CHALLENGER = Challenger(version="v2", round_number=2, mode="shadow", since=NOW, state="waiting", reason="better")
IMAGE = np.stack([np.full((8, 8), level, np.float32) for level in (10.0, 20.0, 3000.0)])


@pytest.fixture
def campaign(label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path) -> Campaign:
    made = make_campaign("demo", tasks=TASKS)
    root = DataLayout(tmp_path / "data").models("demo")
    for version, bias in (("v1", 0.0), ("v2", 1e6)):  # the second one sees class 1 everywhere
        make_tiny_onnx(root, version=version, bias=bias)
        label_store.versions.add(made.campaign_id, version, int(version[1:]), NOW)
    return made


@pytest.fixture
def shadow(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> Iterator[ShadowModel]:
    model = ShadowModel(StoreHome(label_store, ModelServer(label_store, DataLayout(tmp_path / "data"))), lambda: NOW)
    yield model
    model.close()


def offer(
    shadow: ShadowModel, campaign: Campaign, pixel_hash: str = "a", task: int = 0, bands: tuple[int, ...] = (1, 2, 3)
) -> None:
    spec = TASKS[task]
    codes = np.full((8, 8), 3, np.uint8) if task else None
    shown = ShownPrediction(
        campaign_id=campaign.campaign_id, pixel_hash=pixel_hash, task=spec.task, version="v1",
        answer={} if task else {"probabilities": [0.0, 0.0, 1.0]}, shown_at=NOW, blind=True,
    )  # fmt: skip
    shadow.offer(campaign, task_of(spec), shown, codes, IMAGE, list(bands))


def answered(store: LabelStore, campaign: Campaign) -> int:
    return store.shadow_answers.count(campaign.campaign_id, "v1", "v2")


def test_both_answers_are_kept_for_each_task(label_store: LabelStore, campaign: Campaign, shadow: ShadowModel) -> None:
    shadow.attend(campaign, CHALLENGER)
    offer(shadow, campaign, task=0)
    offer(shadow, campaign, task=1)
    assert shadow.flush(20)
    assert answered(label_store, campaign) == 2
    rows = label_store.shadow_answers._database.read("SELECT * FROM shadow_answers ORDER BY task")
    assert rows[0]["champion_answer"] == '{"probabilities":[0.0,0.0,1.0]}'
    assert rows[0]["challenger_answer"].startswith('{"probabilities":[1.0')
    assert rows[0]["blind"]
    assert '"pixels":{"3":64}' in rows[1]["champion_answer"]
    assert '"pixels":{"1":64}' in rows[1]["challenger_answer"]
    assert shadow.counts(campaign) == ShadowCounts(0, 0)


def test_nothing_is_answered_without_a_challenger(
    label_store: LabelStore, campaign: Campaign, shadow: ShadowModel
) -> None:
    offer(shadow, campaign)
    shadow.attend(campaign, CHALLENGER)
    shadow.attend(campaign, None)
    offer(shadow, campaign)
    assert shadow.flush(20)
    assert answered(label_store, campaign) == 0


def test_equal_requests_are_answered_once(label_store: LabelStore, campaign: Campaign, shadow: ShadowModel) -> None:
    shadow.attend(campaign, CHALLENGER)
    for _ in range(3):
        offer(shadow, campaign)
        assert shadow.flush(20)
    assert len(label_store.shadow_answers._database.read("SELECT 1 FROM shadow_answers")) == 1


def test_what_is_too_much_is_dropped_and_counted_while_offers_return_at_once(
    label_store: LabelStore, campaign: Campaign, shadow: ShadowModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, run = threading.Event(), Predictor.run

    def slow(self: Predictor, images: np.ndarray) -> object:
        goes_on.wait(PATIENCE_S)
        return run(self, images)

    monkeypatch.setattr(answering, "MOST_WAITING", 3)
    monkeypatch.setattr(Predictor, "run", slow)
    shadow.attend(campaign, CHALLENGER)
    for number in range(answering.AT_ONCE + 8):
        offer(shadow, campaign, str(number))
    dropped = shadow.counts(campaign).dropped
    assert dropped >= 4
    goes_on.set()
    assert shadow.flush(20)
    assert answered(label_store, campaign) == answering.AT_ONCE + 8 - dropped


def test_large_images_are_bounded_by_their_pixels(
    campaign: Campaign, shadow: ShadowModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "MOST_WAITING_BYTES", IMAGE.nbytes - 1)
    shadow.attend(campaign, CHALLENGER)
    offer(shadow, campaign)
    assert shadow.counts(campaign).dropped == 1


def test_trouble_of_the_challenger_is_counted_and_reaches_nobody(
    label_store: LabelStore, campaign: Campaign, shadow: ShadowModel, tmp_path: Path
) -> None:
    shadow.attend(campaign, CHALLENGER)
    offer(shadow, campaign, bands=(3, 2, 1))
    assert shadow.flush(20)
    assert shadow.counts(campaign).failed == 1
    file = DataLayout(tmp_path / "data").models("demo") / "v2" / "model.onnx"
    file.chmod(0o644)
    file.write_bytes(b"no model")
    shadow.attend(campaign, None)
    shadow.attend(campaign, CHALLENGER)
    for pixel_hash in "ab":
        offer(shadow, campaign, pixel_hash)
    assert shadow.flush(20)
    assert shadow.counts(campaign).failed == 2
    assert answered(label_store, campaign) == 0


def test_closed_shadow_takes_nothing_and_stops(campaign: Campaign, shadow: ShadowModel) -> None:
    shadow.attend(campaign, CHALLENGER)
    shadow.close()
    offer(shadow, campaign)
    assert shadow.flush(1)
