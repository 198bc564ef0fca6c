"""Trainings of super-resolution in the store: numbered, with their outcome as it was measured."""

from collections.abc import Callable

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.super_resolutions import SuperResolutionRequest, SuperResolutionResult, SuperResolutionState
from al_loop.errors import ConflictError
from al_loop.store import LabelStore
from al_loop_records.super_resolution import MeasureRow, SuperResolutionConfig, SuperResolutionReport
from tests.al_loop.store.fixtures import NOW

RESULT = SuperResolutionResult(
    version="sr-1", factor=4, bands=[4, 3, 2], folder="super-resolution/1", seconds=1.5,
    report=SuperResolutionReport(
        images=2, places=2, better=True, verdict="better",
        rows=[MeasureRow(name="psnr", model=31.0, bicubic=30.0, difference=1.0, low=0.5, high=1.5, unit="dB")],
    ),
)  # fmt: skip


def test_what_was_asked_and_measured_comes_back(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign_id, table = make_campaign().campaign_id, label_store.super_resolutions
    asked = SuperResolutionRequest(pairs="/pairs", config=SuperResolutionConfig(steps=3, device="cpu"))
    assert [table.create(campaign_id, asked, NOW).number for _ in range(2)] == [1, 2]
    table.set_state(campaign_id, 1, SuperResolutionState.TRAINING, NOW)
    entry = table.set_state(campaign_id, 1, SuperResolutionState.FINISHED, NOW, result=RESULT)
    assert (entry.request, entry.result, entry.started_at, entry.ended_at) == (asked, RESULT, NOW, NOW)
    assert [job.number for job in table.unfinished(campaign_id)] == [2]
    with pytest.raises(ConflictError, match="super-resolution 1 is finished"):
        table.set_state(campaign_id, 1, SuperResolutionState.FAILED, NOW)
