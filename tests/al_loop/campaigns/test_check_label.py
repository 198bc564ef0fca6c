from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from al_loop.campaigns.labelling import check_label
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import CheckedLabel, LabelInput
from al_loop.errors import InvalidValueError
from models.card import TaskSpec
from tests.al_loop.store.fixtures import CLASSES, NOW, make_header

EMPTY = {"type": "FeatureCollection", "features": []}


@pytest.fixture
def check(make_campaign: Callable[..., Campaign]) -> Callable[..., CheckedLabel]:
    tasks = [TaskSpec(task="classification", classes=CLASSES), TaskSpec(task="segmentation", classes=["field"])]
    campaign = make_campaign(tasks=tasks)

    def run(**fields: Any) -> CheckedLabel:
        label = LabelInput(annotator="ann", sample_id=1, **fields)
        return check_label(campaign, 1, make_header(), label, NOW, "$.labels[0]")

    return run


def test_acceptable_answers_pass(check: Callable[..., CheckedLabel]) -> None:
    assert check(task="classification", classes=["water"]).classes == ["water"]
    assert check(task="classification", classes=[]).labelled_at == NOW
    checked = check(task="segmentation", features=EMPTY)
    assert (checked.features, checked.crs) == (EMPTY, "EPSG:4326")


@pytest.mark.parametrize(
    ("fields", "place", "reason"),
    [
        ({"task": "detection", "classes": []}, ".task", "it asks classification, segmentation"),
        ({"task": "classification"}, ".classes", "needs `classes`"),
        ({"task": "classification", "features": EMPTY}, ".features", "answered with `classes`"),
        ({"task": "classification", "classes": [], "crs": "pixel"}, ".crs", "only `features`"),
        ({"task": "classification", "classes": ["water", "lava"]}, ".classes[1]", "no class 'lava'"),
        ({"task": "classification", "classes": ["water", "water"]}, ".classes[1]", "named twice"),
        ({"task": "classification", "classes": ["water", "urban"]}, ".classes", "takes one"),
        ({"task": "segmentation"}, ".features", "needs `features`"),
        ({"task": "segmentation", "classes": ["field"]}, ".classes", "answered with `features`"),
        ({"task": "segmentation", "features": {"type": "Feature"}}, ".features.type", "FeatureCollection"),
        (
            {"task": "classification", "classes": [], "labelled_at": datetime(2026, 3, 1)},  # noqa: DTZ001 - refused
            ".labelled_at",
            "no zone",
        ),
    ],
)
def test_bad_answers_name_the_field(
    check: Callable[..., CheckedLabel], fields: dict[str, Any], place: str, reason: str
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        check(**fields)
    assert caught.value.path == f"$.labels[0]{place}"
    assert reason in caught.value.reason


def test_several_classes_where_the_task_takes_several(make_campaign: Callable[..., Campaign]) -> None:
    campaign = make_campaign(tasks=[TaskSpec(task="classification", classes=CLASSES, multi_label=True)])
    label = LabelInput(annotator="ann", sample_id=1, task="classification", classes=["water", "urban"])
    checked = check_label(campaign, 1, make_header(), label, NOW, "$")
    assert checked.classes == ["water", "urban"]
