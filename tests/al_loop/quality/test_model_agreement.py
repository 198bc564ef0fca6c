"""Successive models agree, or do not, about a pool that both have scored."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign, CampaignSettings, ReserveSettings
from al_loop.quality.model_agreement import SuccessiveModels
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.scoring.embeddings import EmbeddingStore
from tests.al_loop.store.fixtures import NOW, make_header
from tests.data.make_scene import make_scene
from tests.data.tiny_model import make_tiny_onnx

CLASSES = ["class-1", "class-2", "class-3"]
SETTINGS = CampaignSettings(reserve=ReserveSettings(share=0, minimum=0))
COUNT = 6


class Pool:
    """Images of which half have the first band brightest and half the second, scored by versions of the tiny model."""

    def __init__(
        self, store: LabelStore, make_campaign: Callable[..., Campaign], root: Path, task: str, several: bool
    ) -> None:
        self.store, self.layout, self.task, self.several = store, DataLayout(root / "data"), task, several
        for number in range(COUNT):
            levels = (3000.0, 100.0, 50.0) if number % 2 else (100.0, 3000.0, 50.0)
            content = np.stack([np.full((32, 32), level) for level in levels])
            make_scene(root / f"{number}.tif", width=32, height=32, content=content)
        headers = [make_header(f"{number}.tif", band_count=3) for number in range(COUNT)]
        tasks = [TaskSpec(task=task, classes=CLASSES, multi_label=several)]
        self.number = make_campaign(samples=headers, settings=SETTINGS, tasks=tasks, bands=[1, 2, 3]).campaign_id
        self.models = SuccessiveModels(store, lambda _: EmbeddingStore(self.layout.scores("demo")))

    @property
    def campaign(self) -> Campaign:
        return self.store.campaigns.get("demo")

    def score(self, version: str, bias: float = 0.0) -> None:
        make_tiny_onnx(
            self.layout.models("demo"), version=version, tasks=[self.task], bias=bias, multi_label=self.several
        )
        self.store.versions.add(self.number, version, int(version[1:]), NOW)
        self.store.versions.promote(self.number, version, reason="test", now=NOW)
        PoolScorer(self.store, self.layout, lambda: NOW).score(
            self.campaign, version, on_phase=lambda _: None, on_progress=lambda _: None, cancelled=threading.Event()
        )


MakePool = Callable[..., Pool]


@pytest.fixture
def make_pool(label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path) -> MakePool:
    return lambda task, several=False: Pool(label_store, make_campaign, tmp_path, task, several)


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_two_newest_models_are_compared_on_what_both_scored(make_pool: MakePool, task: str) -> None:
    pool = make_pool(task)
    pool.score("v1")
    assert pool.models.of(pool.campaign) == [], "one model agrees with nobody"
    pool.score("v2")
    (same,) = pool.models.of(pool.campaign)
    assert (same.versions, same.images, same.share, same.kappa, same.settled) == (("v1", "v2"), COUNT, 1.0, 1.0, True)
    assert same.sentence.endswith("100.0% of 6 images (kappa 1.000): more labels change little")
    pool.score("v3", bias=1e6)  # sees class 1 everywhere
    (other,) = pool.models.of(pool.campaign)
    assert (other.versions, other.share, other.settled) == (("v2", "v3"), 0.5, False)
    assert other.kappa is not None
    assert other.kappa < 0.5
    assert other.sentence.endswith("labels still change answers")


def test_nothing_is_told_of_images_with_several_classes(make_pool: MakePool) -> None:
    pool = make_pool("classification", several=True)
    for version in ("v1", "v2"):
        pool.score(version)
    assert pool.models.of(pool.campaign) == []
