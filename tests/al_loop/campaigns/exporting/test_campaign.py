"""What of a campaign is exported: all of its tasks, or those that are named."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from al_loop.campaigns.exporting.campaign import export_campaign
from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from models.card import TaskSpec
from tests.al_loop.store.fixtures import NOW

TASKS = [
    TaskSpec(task="classification", classes=["day", "night"]),
    TaskSpec(task="detection", classes=["ship"]),
    TaskSpec(task="segmentation", classes=["water"]),
]


def area(name: str) -> dict[str, Any]:
    ring = [[1, 1], [9, 1], [9, 9], [1, 9], [1, 1]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"label": name}, "geometry": geometry}
    return {"type": "FeatureCollection", "features": [feature]}


@pytest.fixture
def labelled(label_store: LabelStore, make_campaign: Callable[..., Campaign]) -> Campaign:
    """One image with an answer to each of three tasks."""
    campaign = make_campaign("three", 1, tasks=TASKS)
    drawn = [("detection", area("ship")), ("segmentation", area("water"))]
    answers = [
        LabelInput(path="img_00000.png", task="classification", annotator="ann", classes=["day"]),
        *(
            LabelInput(path="img_00000.png", task=task, annotator="ann", features=features, crs="pixel")
            for task, features in drawn
        ),
    ]
    record_labels(label_store, campaign, answers, NOW)
    return campaign


def exported(store: LabelStore, campaign: Campaign, form: Any, *tasks: str) -> bytes:
    return b"".join(export_campaign(store, campaign, form, tasks=tasks))


def test_format_of_one_drawn_task_holds_the_first_or_the_one_that_is_named(
    label_store: LabelStore, labelled: Campaign
) -> None:
    def kinds(*tasks: str) -> tuple[set[str], str]:
        with zipfile.ZipFile(io.BytesIO(exported(label_store, labelled, "label-studio", *tasks))) as archive:
            (task,) = json.loads(archive.read("label-studio.json"))
            left_out = archive.read("left-out.txt").decode() if "left-out.txt" in archive.namelist() else ""
        return {result["type"] for result in task["annotations"][0]["result"]}, left_out

    found, left_out = kinds()
    assert found == {"choices", "rectanglelabels"}
    assert "segmentation: one file holds boxes or outlines; export it with --task besides" in left_out
    assert kinds("segmentation") == ({"polygonlabels"}, "")
    assert kinds("segmentation", "classification") == ({"choices", "polygonlabels"}, "")


def test_other_formats_hold_the_named_tasks_only(label_store: LabelStore, labelled: Campaign) -> None:
    features = json.loads(exported(label_store, labelled, "geojson", "detection"))["features"]
    assert {feature["properties"]["task"] for feature in features} == {"detection"}


@pytest.mark.parametrize(
    ("form", "task", "reason"),
    [
        ("coco", "segmentation", "coco holds boxes, and three asks segmentation"),
        ("cvat", "roads", "three does not ask for 'roads', but for classification, detection, segmentation"),
    ],
)
def test_task_that_the_format_or_the_campaign_lacks_is_refused(
    label_store: LabelStore, labelled: Campaign, form: str, task: str, reason: str
) -> None:
    with pytest.raises(InvalidValueError, match=reason):
        exported(label_store, labelled, form, task)
