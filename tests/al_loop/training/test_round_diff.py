"""Two rounds compared: whose labels lie between them, what was configured otherwise, what each measured."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.domain.rounds import RoundState
from al_loop.errors import NotFoundError
from al_loop.store import LabelStore
from al_loop.training.round_diff import round_diff
from models.registry import ModelRegistry
from tests.al_loop.store.fixtures import CLASSES, NOW
from tests.al_loop.store.tables.test_rounds import EVALUATION
from tests.data.tiny_model import make_tiny_onnx

Make = Callable[..., Campaign]


def add_round(store: LabelStore, campaign: Campaign, version: str | None, value: float, labels: int) -> int:
    (task,) = EVALUATION.candidate
    measured = msgspec.structs.replace(EVALUATION, candidate=[msgspec.structs.replace(task, value=value)])
    number = store.rounds.create(campaign.campaign_id, reason="ops", now=NOW).number
    store.rounds.set_state(
        campaign.campaign_id, number, RoundState.REJECTED, NOW, version=version, labels=labels, evaluation=measured,
        reserve_labels=29 + number, verdict="better",
        label_event_id=store.labels.newest_event(campaign.campaign_id),
    )  # fmt: skip
    return number


def label(store: LabelStore, campaign: Campaign, annotator: str, *sample_ids: int) -> None:
    answers = [
        LabelInput(sample_id=one, task="classification", annotator=annotator, classes=[CLASSES[0]])
        for one in sample_ids
    ]
    record_labels(store, campaign, answers, NOW)


def test_labels_settings_and_metrics_of_two_rounds(
    label_store: LabelStore, make_campaign: Make, tmp_path: Path
) -> None:
    campaign = make_campaign(samples=20)
    make_tiny_onnx(tmp_path, version="v1", tile_px=128)
    make_tiny_onnx(tmp_path, version="v2", tile_px=256)
    label(label_store, campaign, "ann", 1, 2, 3)
    first = add_round(label_store, campaign, "v1", 0.8, 3)
    label(label_store, campaign, "ann", 4)
    label(label_store, campaign, "bo", 5, 6)
    second = add_round(label_store, campaign, "v2", 0.9, 6)
    registry = ModelRegistry(tmp_path)
    found = round_diff(label_store, registry, campaign, first, second)
    assert (found.versions, found.labels) == (("v1", "v2"), (3, 6))
    assert [(entry.annotator, entry.events) for entry in found.sources] == [("bo", 2), ("ann", 1)]
    assert [(entry.name, entry.first, entry.second) for entry in found.settings] == [("tile_px", 128, 256)]
    assert (found.metrics[0].first, found.metrics[0].second) == (0.8, 0.9)
    assert {(entry.metric, entry.of_class) for entry in found.metrics[1:]} == {
        ("recall", name) for name in EVALUATION.candidate[0].per_class
    }
    assert found.reserve == (30, 31)
    assert found.verdicts == ("better", "better")
    assert len(found.metrics) == 1 + len(EVALUATION.candidate[0].per_class)
    back = round_diff(label_store, registry, campaign, second, first)
    assert back.sources == found.sources
    assert (back.metrics[0].first, back.metrics[0].second) == (0.9, 0.8)
    same = round_diff(label_store, registry, campaign, first, first)
    assert (same.sources, same.settings) == ([], [])


def test_round_without_a_version_has_no_settings_to_compare(
    label_store: LabelStore, make_campaign: Make, tmp_path: Path
) -> None:
    campaign = make_campaign(samples=20)
    first, second = add_round(label_store, campaign, None, 0.8, 3), add_round(label_store, campaign, None, 0.9, 3)
    assert round_diff(label_store, ModelRegistry(tmp_path), campaign, first, second).settings == []
    with pytest.raises(NotFoundError):
        round_diff(label_store, ModelRegistry(tmp_path), campaign, first, 99)
