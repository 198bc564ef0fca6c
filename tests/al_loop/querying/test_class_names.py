"""Reasons say the names of classes where strategies know numbers."""

from datetime import UTC, datetime

import msgspec
import pytest

from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.domain.queries import ExplainedPick, ExplainedQuery
from al_loop.querying.class_names import with_class_names
from models.card import TaskSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REGIONS = "uncertain among regions predicted as class number"
CLASSIFICATION = TaskSpec(task="classification", classes=["forest", "water"])
SEGMENTATION = TaskSpec(task="segmentation", classes=["field", "road"])
DETECTION = TaskSpec(task="detection", classes=["ship", "tank"])


def campaign_of(tasks: list[TaskSpec]) -> Campaign:
    return Campaign(
        campaign_id=1, name="demo", tasks=tasks, root="/data", bands=None, source_bands=None,
        settings=CampaignSettings(), policy=RetrainPolicy(), created_at=NOW, current_version=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tasks", "reason", "told"),
    [
        ([SEGMENTATION], f"{REGIONS} 0: entropy 0.69", "uncertain among regions predicted as background: entropy 0.69"),
        ([SEGMENTATION], f"{REGIONS} 2: entropy 0.69", "uncertain among regions predicted as road: entropy 0.69"),
        ([DETECTION], f"{REGIONS} 0: entropy 0.69", "uncertain among regions predicted as ship: entropy 0.69"),
        ([CLASSIFICATION, SEGMENTATION], f"{REGIONS} 1", "uncertain among regions predicted as field"),
        ([CLASSIFICATION, SEGMENTATION], "images predicted as class number 2", "images predicted as water"),
        ([SEGMENTATION, DETECTION], f"{REGIONS} 1", f"{REGIONS} 1"),  # whose number it is cannot be told
        ([SEGMENTATION], f"{REGIONS} 7", f"{REGIONS} 7"),
        ([CLASSIFICATION], "predicted as class number 0", "predicted as class number 0"),
    ],
)
def test_class_is_named(tasks: list[TaskSpec], reason: str, told: str) -> None:
    pick = ExplainedPick(sample_id=1, path="a.tif", source="strategy", score=None, reason=reason, end_reason=None)
    query = ExplainedQuery(
        query_id=1, annotator="ann", strategy="{}", query_size=1, version=None, ranked_labels=None,
        opened_at=NOW, samples=[pick],
    )  # fmt: skip
    named = with_class_names(query, campaign_of(tasks))
    assert named == msgspec.structs.replace(query, samples=[msgspec.structs.replace(pick, reason=told)])
