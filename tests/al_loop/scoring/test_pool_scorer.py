"""The subprocess that scores the pool: its threads, and files that come and go meanwhile."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign
from al_loop.runtime.processes import run_supervised
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.store import LabelStore
from models.scoring.spec import FEATURES, ScoreSpec
from service.settings import Settings
from tests.al_loop.store.fixtures import NOW
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, write_pool
from tests.waiting import wait_for


@pytest.fixture
def settings(tmp_path: Path, imagery: Path) -> Settings:
    """Of a service whose models may use one thread."""
    return Settings(data=tmp_path / "data", imagery=str(imagery), score_tick_s=0.2, threads=1)


def test_models_score_with_the_threads_of_the_settings(
    serve_scenes: Callable[..., Http], imagery: Path, settings: Settings
) -> None:
    make_scene(imagery / "scene.tif", width=32, height=32)
    http = serve_scenes()
    wait_for(lambda: http.get("/campaigns/demo/samples").json()["samples"][0]["score"] is not None)
    spec = settings.data / "campaigns" / "demo" / "scores" / "v1" / "0001" / "spec.json"
    assert msgspec.json.decode(spec.read_bytes(), type=ScoreSpec).threads == 1


def test_file_that_was_away_while_it_was_to_be_scored_is_scored_when_it_is_back(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    campaign = make_campaign()
    paths = write_pool(tmp_path, 3, size=32)
    register_paths(label_store, campaign, paths, NOW)
    campaign = label_store.campaigns.get(campaign.name)
    file = Path(campaign.root) / paths[0]

    def run_without_it(*arguments: Any, **keywords: Any) -> None:
        away = file.rename(file.with_suffix(".away"))
        run_supervised(*arguments, **keywords)
        away.rename(file)

    def score(scorer: PoolScorer) -> int:
        return scorer.score(
            campaign, FEATURES, on_phase=lambda _: None, on_progress=lambda _: None, cancelled=threading.Event()
        )

    layout = DataLayout(tmp_path / "data")
    assert score(PoolScorer(label_store, layout, lambda: NOW, executor=run_without_it)) == 2
    assert score(PoolScorer(label_store, layout, lambda: NOW)) == 1
    assert label_store.samples.get(campaign.campaign_id, 1).file_problem is None
