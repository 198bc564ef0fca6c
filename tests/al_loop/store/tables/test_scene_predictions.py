"""Predictions of scenes are numbered, keep what was asked, and stay at their end."""

from collections.abc import Callable

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.scene_predictions import ScenePredictionRequest, ScenePredictionState
from al_loop.errors import ConflictError, NotFoundError
from al_loop.store import LabelStore
from models.inference.scenes.spec import SceneResult
from tests.al_loop.store.fixtures import NOW

RESULT = SceneResult(
    file="scene.tif", file_bytes=9, sha256="0", version="v1", task="segmentation", format="tif", width=3, height=2,
    tiles=1, seconds=1.0, model_seconds=0.5,
)  # fmt: skip


def test_result_is_read_as_it_was_stored(label_store: LabelStore, make_campaign: Callable[..., Campaign]) -> None:
    campaign_id, table = make_campaign().campaign_id, label_store.scene_predictions
    asked = ScenePredictionRequest(scene="a.tif", task="segmentation", format="geojson", cell_px=64)
    assert [table.create(campaign_id, asked, "v1", NOW).number for _ in range(2)] == [1, 2]
    table.set_state(campaign_id, 1, ScenePredictionState.PREDICTING, NOW)
    entry = table.set_state(campaign_id, 1, ScenePredictionState.FINISHED, NOW, result=RESULT)
    assert (entry.asked, entry.result, entry.version, entry.ended_at) == (asked, RESULT, "v1", NOW)
    assert [job.number for job in table.unfinished(campaign_id)] == [2]
    with pytest.raises(ConflictError, match="scene prediction 1 is finished"):
        table.set_state(campaign_id, 1, ScenePredictionState.FAILED, NOW)
    with pytest.raises(NotFoundError, match="scene prediction"):
        table.get(campaign_id, 9)
