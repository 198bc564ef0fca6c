"""Which scenes may be predicted, and how often a prediction is taken up; the way through is tested over HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.scene_predictions import ScenePrediction, ScenePredictionRequest, ScenePredictionState
from al_loop.errors import InvalidValueError, NoModelError
from al_loop.runtime.processes import run_supervised
from al_loop.serving.model_server import ModelServer
from al_loop.serving.scene_predictions import (
    MOST_ATTEMPTS,
    ScenePredictionKind,
    ScenePredictionRunner,
    scene_path,
)
from al_loop.store import LabelStore
from tests.data.make_scene import make_scene


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign], tmp_path: Path) -> Campaign:
    """Its root is one of two folders that the service reads."""
    make_scene(tmp_path / "root" / "a.tif")
    make_scene(tmp_path / "other" / "b.tif")
    make_scene(tmp_path / "secret.tif")
    (tmp_path / "root" / "link.tif").symlink_to(tmp_path / "secret.tif")
    return msgspec.structs.replace(make_campaign(), root=str(tmp_path / "root"))


def test_scene_lies_inside_a_folder_that_the_service_reads(campaign: Campaign, tmp_path: Path) -> None:
    imagery = [tmp_path / "root", tmp_path / "other"]
    assert scene_path(campaign, "a.tif", imagery) == tmp_path / "root" / "a.tif"
    assert scene_path(campaign, str(tmp_path / "other" / "b.tif"), imagery) == tmp_path / "other" / "b.tif"
    assert scene_path(campaign, "a.tif#xywh=0,0,9,9", imagery).name == "a.tif#xywh=0,0,9,9"
    for bad in (
        "gone.tif",
        "../secret.tif",
        "link.tif",
        str(tmp_path / "secret.tif"),
        f"{tmp_path}/other/../secret.tif",
    ):
        with pytest.raises(InvalidValueError):
            scene_path(campaign, bad, imagery)


def test_prediction_goes_on_a_few_times_only(campaign: Campaign, label_store: LabelStore, tmp_path: Path) -> None:
    layout = DataLayout(tmp_path / "data")
    kind = ScenePredictionKind(label_store, layout, ModelServer(label_store, layout), run_supervised, None)
    entry = ScenePrediction(
        number=1, asked=ScenePredictionRequest(scene="a.tif"), version="v1", state=ScenePredictionState.PREDICTING,
        requested_at=datetime.now(UTC), started_at=None, ended_at=None, result=None, error=None,
    )  # fmt: skip
    assert kind.goes_on(campaign, entry)
    for attempt in range(MOST_ATTEMPTS):
        (layout.scene_prediction(campaign.folder, 1) / f"run-{attempt + 1}").mkdir(parents=True)
    assert not kind.goes_on(campaign, entry)
    assert kind.directory(campaign, 1).name == f"run-{MOST_ATTEMPTS}"
    assert kind.after_a_kill(entry)[0] == ScenePredictionState.INTERRUPTED


def test_nothing_is_queued_before_a_model_serves(campaign: Campaign, label_store: LabelStore, tmp_path: Path) -> None:
    layout = DataLayout(tmp_path / "data")
    runner = ScenePredictionRunner(label_store, layout, ModelServer(label_store, layout), lambda: datetime.now(UTC))
    asked = ScenePredictionRequest(scene="a.tif", task="segmentation")
    with pytest.raises(NoModelError):
        runner.start(campaign, asked, [tmp_path / "root"])
    assert label_store.scene_predictions.list(campaign.campaign_id) == []
    runner.close()
