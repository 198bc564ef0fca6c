"""Which tasks a comparison takes, and the snapshots of some of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.errors import ConflictError
from al_loop.store import LabelStore
from al_loop.training.comparison.subsets import lay_subset, tasks_to_compare
from models.card import TaskSpec
from models.manifest import SAMPLES_FILE, read_manifest
from tests.al_loop.store.fixtures import NOW
from tests.models.training.fixtures import CLASSIFICATION, SEGMENTATION, write_snapshot

CLASSES = TaskSpec(task="classification", classes=["forest", "water"])
MASKS = TaskSpec(task="segmentation", classes=["field"])


class Answered:
    """A store that counts labels: {(task, whether in the reserve): count}."""

    def __init__(self, counts: dict[tuple[str, bool], int]) -> None:
        self._counts = counts
        self.labels = self

    def answered(self, campaign_id: int, task: str, *, reserve: bool) -> int:
        return self._counts.get((task, reserve), 0)


EVERYWHERE = {(task, reserve): 3 for task in ("classification", "segmentation") for reserve in (True, False)}


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign(tasks=[CLASSES, MASKS])


def chosen(campaign: Campaign, counts: dict[tuple[str, bool], int], asked: list[Any] | None = None) -> list[str]:
    return [spec.task for spec in tasks_to_compare(Answered(counts), campaign, asked)]  # type: ignore[arg-type]


def test_tasks_with_labels_on_both_sides_are_compared(campaign: Campaign) -> None:
    assert chosen(campaign, EVERYWHERE) == ["classification", "segmentation"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ([True], "only classification is labelled: segmentation has no label in the test reserve"),
        ([False], "segmentation has no label outside of the test reserve"),
        ([True, False], "segmentation has no label outside of the test reserve or in the test reserve"),
    ],
)
def test_what_lacks_labels_is_told_with_the_side(campaign: Campaign, missing: list[bool], said: str) -> None:
    with pytest.raises(ConflictError, match=said):
        chosen(campaign, EVERYWHERE | {("segmentation", reserve): 0 for reserve in missing})


def test_one_task_is_nothing_to_compare(campaign: Campaign, make_campaign: Callable[..., Campaign]) -> None:
    with pytest.raises(ConflictError, match="segmentation is one task alone"):
        chosen(campaign, EVERYWHERE, ["segmentation"])
    with pytest.raises(ConflictError, match="the campaign asks classification alone"):
        chosen(make_campaign("other", tasks=[CLASSES]), EVERYWHERE)


def test_labels_are_counted_by_the_store(label_store: LabelStore, campaign: Campaign) -> None:
    assert label_store.campaigns.get("demo").created_at == NOW
    with pytest.raises(ConflictError, match="too few tasks are labelled"):
        tasks_to_compare(label_store, campaign, None)


def test_subset_has_the_same_rows_and_fewer_tasks(tmp_path: Path) -> None:
    rows = [{"path": "a.tif", "split": "train", "classification": [0]}]
    whole = write_snapshot(tmp_path / "all", rows, [CLASSIFICATION, SEGMENTATION])
    lay_subset(tmp_path / "all", tmp_path / "one", whole, [SEGMENTATION])
    assert (tmp_path / "one" / SAMPLES_FILE).read_bytes() == (tmp_path / "all" / SAMPLES_FILE).read_bytes()
    assert read_manifest(tmp_path / "one").tasks == [SEGMENTATION]
    assert read_manifest(tmp_path / "all").tasks == [CLASSIFICATION, SEGMENTATION]
    lay_subset(tmp_path / "all", tmp_path / "all", whole, [CLASSIFICATION])
    assert read_manifest(tmp_path / "all").tasks == [CLASSIFICATION]
